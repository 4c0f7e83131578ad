"""The chat page's channel: everything once and in order, over plain HTTP."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

import turnlog
from tests.integration.live.client import connected
from tests.integration.live.page import opened
from tests.parts import turnlog as turnlog_part
from turnlog import BotUttered, MessageEdited, MessageRedacted, MessageRegenerated, UserUttered

if TYPE_CHECKING:
    from tests.parts.server import Server

KEY = "a key of thirty-two bytes at the least"


def db(server: Server) -> str:
    return f"sqlite:///{server.folder}/chat.db"


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message.get("message", message.get("text")) for message in messages]


async def test_what_was_missed_comes_once_and_in_order(server: Server) -> None:
    async with opened(server.url) as page:
        assert page.begun["bot"] is True
        first = (await page.say("a table for two", message_id="m1")).json()
        assert first == {"session_id": page.id, "event": 1}
        asked, answer = await page.heard(2)
        assert (asked["type"], asked["message_id"], asked["event"]) == ("user_uttered", "m1", 1)
        assert (answer["type"], answer["text"]) == ("bot_uttered", "For which day?")
        again = (await page.say("a table for two", message_id="m1")).json()
        assert again["event"] == 1
        await page.say("tomorrow")
        later = await page.heard(2, after=answer["event"])
        assert texts(later) == ["tomorrow", "At what time?"]
        assert [m["event"] for m in later] == sorted({m["event"] for m in later})
    async with opened(server.url, token=page.token) as other:
        assert other.id == page.id
        assert texts((await other.past())["messages"]) == texts([asked, answer, *later])


async def test_a_stream_without_waiting_ends_with_its_last_event(server: Server) -> None:
    async with opened(server.url) as page:
        await page.say("a table for two")
        await page.heard(2)
        heard = [event async for event in page.stream(wait=False)]
        assert sum(len(data) for _, _, data in heard) == 2
        assert [event async for event in page.stream(heard[-1][1] or 0, wait=False)] == []


async def test_readers_see_that_the_bot_is_at_work(chosen_server: Server) -> None:
    async with opened(chosen_server.url, conversation="slow-page") as page:
        heard = []

        async def speak() -> None:
            while heard[-2:] != [True, False]:
                await page.say("hi")
                await asyncio.sleep(0.4)

        speaking = asyncio.create_task(speak())
        async for name, _, data in page.stream():
            heard += [data] if name == "typing" else []
            if heard[-2:] == [True, False]:
                break
        await speaking


async def test_older_messages_come_by_turns_as_they_are_now(naming_server: Server) -> None:
    with turnlog.open(db(naming_server)) as log:
        for number in range(250):
            log.record("long", UserUttered(f"q{number}"), BotUttered(f"a{number}"))
        log.record("long", MessageEdited(1, "q0, edited"), MessageRedacted(3))
        log.record("long", MessageRegenerated(2, "a0, again", {"image": "https://x/y.png"}))
        log.record("long", MessageEdited(3, "still hidden"))
    async with opened(naming_server.url, conversation="long") as page:
        last = await page.past()
        assert texts(last["messages"]) == [t for n in range(150, 250) for t in (f"q{n}", f"a{n}")]
        assert (last["before"], last["last"]) == (301, 504)
        before = await page.past(before=last["before"])
        first = await page.past(before=before["before"])
        assert first["before"] is None
        assert texts(first["messages"])[:4] == ["q0, edited", "a0, again", "a1", "q2"]
        assert first["messages"][1]["attachments"][0]["payload"]["src"] == "https://x/y.png"
        every = first["messages"] + before["messages"] + last["messages"]
        assert [m["event"] for m in every] == [1, 2, *range(4, 501)]
        streamed = await page.heard(499)
        assert "q1" not in texts(streamed)


async def test_a_page_that_saw_more_than_the_log_has_is_refused(server: Server) -> None:
    async with opened(server.url) as page:
        answer = await page.http.get(
            "/chat/stream", headers={**page.headers, "Last-Event-ID": "1000"}
        )
        assert (answer.status_code, answer.json()["reason"]) == (409, "Restored")


async def test_a_reader_that_saw_more_than_the_log_has_is_refused(server: Server) -> None:
    async with connected(server.url) as client:
        began = await client.session(after=0)
        await client.say("hi")
    async with httpx.AsyncClient(base_url=server.url) as http:
        events = f"/v1/conversations/{began['session_id']}/events"
        answer = await http.get(events, params={"after": 1000})
        assert (answer.status_code, answer.json()["reason"]) == (409, "Restored")
        last = (await http.get(events)).json()["last"]
        assert (await http.get(events, params={"after": last})).json()["events"] == []


async def test_a_session_opens_only_with_its_token(server: Server) -> None:
    async with opened(server.url) as one, opened(server.url) as two:
        await one.say("a secret")
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {one.id}"}):
            for method, path in (("GET", "messages"), ("POST", "messages"), ("GET", "stream")):
                answer = await two.http.request(
                    method, f"/chat/{path}", headers=headers, json={"message": "x"}
                )
                assert (answer.status_code, "secret" in answer.text) == (401, False)
        assert (await two.past())["messages"] == []
        named = await two.http.post("/chat/session", json={"conversation": one.id})
        assert named.status_code == 403


async def test_a_session_of_a_json_web_token_ends_with_it() -> None:
    with turnlog_part.running("--jwt-key", KEY) as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.post("/chat/session", json={})).status_code == 401
            token = jwt.encode({"sub": "alice", "exp": time.time() + 2}, KEY, "HS256")
            headers = {"Authorization": f"Bearer {token}"}
            begun = (await http.post("/chat/session", json={}, headers=headers)).json()
            assert begun["session_id"] == "alice"
            assert 0 < begun["expires_in"] <= 2
            claims = jwt.decode(begun["token"], options={"verify_signature": False})
            assert claims["exp"] <= time.time() + 2
            other = await http.post("/chat/session", json={"conversation": "bob"}, headers=headers)
            assert other.status_code == 403


async def test_a_deleted_session_is_gone(server: Server) -> None:
    async with opened(server.url) as page:
        await page.say("a table for two")
        await page.heard(2)
        deleted = {"type": "ConversationDeleted"}
        await page.http.post(f"/v1/conversations/{page.id}/events", json=deleted)
        for answer in (
            await page.http.post("/chat/session", json={"token": page.token}),
            await page.http.get("/chat/messages", headers=page.headers),
            await page.http.get("/chat/stream", headers=page.headers),
        ):
            assert (answer.status_code, answer.json()["reason"]) == (410, "Gone")


async def test_files_are_packed_and_not_sent_twice(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        for path in ("/", "/static/chat.js", "/static/base.css"):
            first = await http.get(path)
            assert first.headers["content-encoding"] == "gzip"
            plain = await http.get(path, headers={"Accept-Encoding": "identity"})
            assert "content-encoding" not in plain.headers
            assert plain.content == first.content
            known = {"If-None-Match": first.headers["etag"]}
            again = await http.get(path, headers=known)
            assert (again.status_code, again.content) == (304, b"")
            other = await http.get(path, headers={"If-None-Match": 'W/"another"'})
            assert other.status_code == 200


@pytest.mark.parametrize("bot", [None, "tests.integration.live.bots:echo"])
async def test_a_server_without_a_bot_says_so(bot: str | None) -> None:
    with turnlog_part.running(bot=bot) as server:
        async with opened(server.url) as page:
            assert page.begun["bot"] is (bot is not None)
        assert ("no bot" in server.log.read_text()) is (bot is None)


async def test_a_server_that_stops_does_not_wait_for_open_streams() -> None:
    with turnlog_part.running() as server:
        async with opened(server.url) as page:
            stream = page.stream()
            await page.say("a table for two")
            await anext(stream)
            began = time.monotonic()
            server.stop()
            assert [name async for name, _, _ in stream if name == "error"] == []
            assert time.monotonic() - began < 4  # uvicorn's patience with open requests is 5 s
