"""Bots that stream, on a real server: chunks immediately, then each message once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import turnlog
from tests.integration.live.client import Client, connected
from tests.integration.live.page import ChatPage, opened
from tests.parts import turnlog as turnlog_part
from turnlog import Event

if TYPE_CHECKING:
    from tests.parts.server import Server

BOTS = "tests.integration.live.streaming_bots"


@pytest.fixture(scope="module")
def streaming() -> Iterator[Server]:
    """A server whose bot is named by the conversation's id, up to its dash."""
    with turnlog_part.running("--client-ids", bot=f"{BOTS}:chosen") as running:
        yield running


def recorded(server: Server, id: str) -> list[Event]:
    with turnlog.open(f"sqlite:///{server.folder}/chat.db", readonly=True) as log:
        return list(log.conversation(id).events())


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def order(heard: list[tuple[str, Any]]) -> list[Any]:
    """The bot's chunks and messages, in order."""
    names = {"bot_chunk": lambda d: (d["text"], d["first"]), "bot_uttered": lambda d: d["text"]}
    return [names[name](data) for name, data in heard if name in names]


async def test_a_socket_gets_chunks_and_then_each_message_once(streaming: Server) -> None:
    async with connected(streaming.url) as client, connected(streaming.url) as plain:
        began = await client.session(session_id="words-a", after=0)
        await plain.session(session_id="words-a")
        await client.say("hi", session_id="words-a")
        await client.until(3, "bot_uttered")
        assert order(client.heard) == [
            ("one ", True), ("two ", False), ("three", False), "one two three",
            "whole", ("the ", True), ("end", False), "the end",
        ]  # fmt: skip
        await plain.until(3, "bot_uttered")
        assert {name for name, _ in plain.heard} == {"session_confirm", "bot_uttered"}
        assert [d["text"] for d in plain.all("bot_uttered")] == [
            "one two three",
            "whole",
            "the end",
        ]
        await client.until(2, "bot_typing")
        assert [d["typing"] for d in client.all("bot_typing")] == [True, False]
        assert client.heard[-1] == ("bot_typing", {"typing": False})
    async with connected(streaming.url) as again:
        await again.session(token=began["token"], after=0)
        await again.until(3, "bot_uttered")
        assert order(again.heard) == ["one two three", "whole", "the end"]
    events = recorded(streaming, "words-a")
    assert kinds(events) == ["UserUttered", *["BotUttered"] * 3, "AnswerEnded"]
    assert all(event.cause == 1 for event in events[1:])


async def test_a_plain_generator_streams_too(streaming: Server) -> None:
    with turnlog_part.running("--client-ids", bot=f"{BOTS}:plain") as server:
        async with connected(server.url) as client:
            await client.session(session_id="a", after=0)
            await client.say("hi", session_id="a")
            await client.until(2, "bot_uttered")
            assert order(client.heard) == [("a", True), ("b", False), "ab", "c"]


async def test_a_bot_that_yields_nothing_has_answered(streaming: Server) -> None:
    async with connected(streaming.url) as client:
        await client.session(session_id="silent-a", after=0)
        await client.say("hi", session_id="silent-a")
        await client.until(2, "bot_typing")
    assert kinds(recorded(streaming, "silent-a")) == ["UserUttered", "AnswerEnded"]


async def test_a_bot_that_fails_leaves_what_it_had_begun_marked(streaming: Server) -> None:
    async with connected(streaming.url) as client:
        await client.session(session_id="failing-a", after=0)
        await client.say("hi", session_id="failing-a")
        await client.until(2, "bot_typing")
        assert order(client.heard) == ["whole", ("beg", True), ("un", False), "begun"]
    events = recorded(streaming, "failing-a")
    assert kinds(events) == [
        "UserUttered", "BotUttered", "BotUttered", "AnswerBrokenOff", "BotFailed", "AnswerEnded",
    ]  # fmt: skip
    assert events[3].reason == "error"


async def test_a_piece_that_the_log_cannot_store_is_a_failure(streaming: Server) -> None:
    async with connected(streaming.url) as client:
        await client.session(session_id="impossible-a", after=0)
        await client.say("hi", session_id="impossible-a")
        await client.until(2, "bot_typing")
    events = recorded(streaming, "impossible-a")
    assert kinds(events) == [
        "UserUttered", "BotUttered", "AnswerBrokenOff", "BotFailed", "AnswerEnded",
    ]  # fmt: skip
    assert "InvalidEvent" in events[3].detail


@pytest.mark.parametrize(
    ("options", "detail"),
    [
        (["--bot-idle-timeout", "0.3"], "nothing for 0.3 s"),
        (["--bot-timeout", "0.4"], "no answer within 0.4 s"),
    ],
)
async def test_a_bot_that_stalls_is_stopped_and_closed(options: list[str], detail: str) -> None:
    with turnlog_part.running("--client-ids", *options, bot=f"{BOTS}:stalling") as server:
        async with connected(server.url) as client:
            await client.session(session_id="a", after=0)
            await client.say("hi", session_id="a")
            await client.until(2, "bot_typing")
            assert order(client.heard) == [("begun", True), "begun"]
        events = recorded(server, "a")
        assert kinds(events) == [
            "UserUttered", "BotUttered", "AnswerBrokenOff", "BotFailed", "AnswerEnded",
        ]  # fmt: skip
        assert (events[2].reason, events[3].kind) == ("timeout", "timeout")
        assert events[3].detail == detail
        await until((server.folder / "closed").exists)


async def test_a_running_tool_does_not_count_as_idle() -> None:
    options = ("--client-ids", "--bot-idle-timeout", "0.4")
    with turnlog_part.running(*options, bot=f"{BOTS}:slowly") as server:
        async with connected(server.url) as client:
            await client.session(session_id="a", after=0)
            await client.say("hi", session_id="a")
            await client.until(2, "bot_typing")
            assert order(client.heard)[-1] == "rested"


async def test_a_bot_that_does_not_stall_may_take_long() -> None:
    options = ("--client-ids", "--bot-idle-timeout", "0.8", "--bot-timeout", "2")
    with turnlog_part.running(*options, bot=f"{BOTS}:endless") as server:
        async with connected(server.url) as client:
            await client.session(session_id="a", after=0)
            await client.say("hi", session_id="a")
            await client.until(2, "bot_typing")
            assert len(client.all("bot_chunk")) > 8
        assert recorded(server, "a")[3].detail == "no answer within 2 s"


@pytest.mark.parametrize("bot", ["endless", "stubborn", "stalling"])
@pytest.mark.parametrize("way", ["socket", "page", "rest"])
async def test_a_reader_can_stop_an_answer(streaming: Server, bot: str, way: str) -> None:
    id = f"{bot}-stopped-{way}"
    async with connected(streaming.url) as client, opened(streaming.url, conversation=id) as page:
        await client.session(session_id=id, after=0)
        assert await stopped(way, client, page) is False
        await client.say("hi", session_id=id)
        await client.until(1, "bot_chunk")
        assert await stopped(way, client, page) is True
        events = recorded(streaming, id)  # what was said is durable by now
        assert kinds(events) == ["UserUttered", "BotUttered", "AnswerBrokenOff", "AnswerEnded"]
        assert events[2].reason == "stopped"
        await client.until(2, "bot_typing")
        shown = "".join(chunk["text"] for chunk in client.all("bot_chunk"))
        assert order(client.heard)[-1] == events[1].text == shown
        await client.say("and", session_id=id)
        await client.when(lambda: sum(chunk["first"] for chunk in client.all("bot_chunk")) == 2)
        assert await stopped(way, client, page) is True
    assert kinds(recorded(streaming, id)) == kinds(events) * 2
    with turnlog.open(f"sqlite:///{streaming.folder}/chat.db", readonly=True) as log:
        _, answer, _, _ = log.conversation(id).messages()
    assert (answer.text, answer.finish) == (shown, "broken_off")


async def stopped(way: str, client: Client, page: ChatPage) -> bool:
    if way == "socket":
        answer = await client.sio.call("stop_request", {"session_id": page.id}, timeout=15)
    else:
        path = "/chat/stop" if way == "page" else f"/v1/conversations/{page.id}/stop"
        answer = (await page.http.post(path, headers=page.headers)).raise_for_status().json()
    return bool(answer["stopped"])


async def test_a_bot_that_does_not_stream_is_stopped_too(streaming: Server) -> None:
    with turnlog_part.running("--client-ids", bot=f"{BOTS}:patiently") as server:
        async with connected(server.url) as client, opened(server.url, conversation="a") as page:
            await client.session(session_id="a", after=0)
            await client.say("hi", session_id="a")
            await client.until(1, "bot_typing")
            assert await stopped("page", client, page) is True
        assert kinds(recorded(server, "a")) == ["UserUttered", "AnswerBrokenOff"]
        with turnlog.open(f"sqlite:///{server.folder}/chat.db", readonly=True) as log:
            [said] = log.conversation("a").messages()
    assert said.finish is None  # the message was not broken off


async def test_a_page_gets_chunks_as_separate_events(streaming: Server) -> None:
    async with opened(streaming.url, conversation="words-page") as page:
        heard: list[Any] = []
        speaking = asyncio.create_task(spoken(page, heard))
        async for name, id, data in page.stream():
            heard.append((name, id, data))
            if name == "typing" and data is False:
                break
        await speaking
    chunks = [(data["text"], data["first"]) for name, id, data in heard if name == "chunk"]
    assert chunks == [
        ("one ", True), ("two ", False), ("three", False), ("the ", True), ("end", False),
    ]  # fmt: skip
    assert all(id is None for name, id, _ in heard if name == "chunk")
    said = [m for name, _, data in heard if name == "message" for m in data]
    assert [m.get("text") for m in said] == [None, "one two three", "whole", "the end"]
    names = [name for name, _, _ in heard]
    assert names.index("message") < names.index("chunk")


async def spoken(page: ChatPage, heard: list[Any]) -> None:
    """Sends a message once the stream is open: a stream that joins in mid-answer receives less."""
    await asyncio.sleep(0.5)
    await page.say("hi")


async def test_a_reader_that_joins_during_a_message_gets_it_whole_and_no_chunk_before(
    streaming: Server,
) -> None:
    async with connected(streaming.url) as client, connected(streaming.url) as late:
        await client.session(session_id="words-late", after=0)
        await client.say("hi", session_id="words-late")
        await client.until(2, "bot_chunk")
        await late.session(session_id="words-late", after=0)
        await late.when(lambda: {"typing": False} in late.all("bot_typing"))
        assert late.all("bot_typing")[0] == {"typing": True}
        assert order(late.heard) == [
            "one two three", "whole", ("the ", True), ("end", False), "the end",
        ]  # fmt: skip


async def until(condition: Any, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_the_webhook_gives_an_answer_as_server_sent_events(streaming: Server) -> None:
    heard = await events_of(streaming.url, "words-sse")
    assert heard == [
        ("chunk", {"text": "one ", "first": True}),
        ("chunk", {"text": "two ", "first": False}),
        ("chunk", {"text": "three", "first": False}),
        ("message", {"recipient_id": "words-sse", "text": "one two three"}),
        ("message", {"recipient_id": "words-sse", "text": "whole"}),
        ("chunk", {"text": "the ", "first": True}),
        ("chunk", {"text": "end", "first": False}),
        ("message", {"recipient_id": "words-sse", "text": "the end"}),
        ("end", {}),
    ]
    again = await events_of(streaming.url, "words-sse")
    assert again == [event for event in heard if event[0] != "chunk"]  # the same message id
    assert (await events_of(streaming.url, "failing-sse"))[-1] == ("end", {"broken_off": "error"})


async def events_of(url: str, sender: str) -> list[tuple[str, Any]]:
    said = {"sender": sender, "message": "hi", "message_id": "m"}
    headers = {"Accept": "text/event-stream"}
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        request = http.stream("POST", "/webhooks/rest/webhook", json=said, headers=headers)
        async with request as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            blocks = [block async for block in server_sent(answer)]
    return [(name, json.loads(data)) for name, data in blocks]


async def server_sent(answer: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    event: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif "data" in event:
            yield event["event"], event["data"]
            event = {}


async def test_lines_arrive_as_the_bot_speaks(streaming: Server) -> None:
    said = {"sender": "early-lines", "message": "hi"}
    async with httpx.AsyncClient(base_url=streaming.url, timeout=20) as http:
        path = "/webhooks/rest/webhook?stream=true"
        async with http.stream("POST", path, json=said) as answer:
            lines = answer.aiter_lines()
            assert json.loads(await anext(lines))["text"] == "first"
            stop = await http.post("/v1/conversations/early-lines/stop")
            assert stop.json() == {"stopped": True}
            assert [line async for line in lines] == []


async def test_a_client_that_hangs_up_does_not_stop_the_bot(streaming: Server) -> None:
    said = {"sender": "words-gone", "message": "hi"}
    headers = {"Accept": "text/event-stream"}
    async with httpx.AsyncClient(base_url=streaming.url, timeout=20) as http:
        request = http.stream("POST", "/webhooks/rest/webhook", json=said, headers=headers)
        async with request as answer:
            await anext(server_sent(answer))
    await until(lambda: kinds(recorded(streaming, "words-gone"))[-1] == "AnswerEnded")
    assert kinds(recorded(streaming, "words-gone")).count("BotUttered") == 3


async def test_refusals_and_media_go_out_in_each_channels_own_words(streaming: Server) -> None:
    picture = "https://example.com/table.png"
    async with connected(streaming.url) as client:
        await client.session(session_id="working-rasa")
        await client.say("hi", session_id="working-rasa")
        heard = await client.until(4, "bot_uttered")
    assert heard == [
        {"text": "Let me look."},
        {"text": "There **is** a table."},
        {"attachment": {"type": "image", "payload": {"src": picture}}},
        {"text": "I cannot choose the wine for you."},
    ]
    async with httpx.AsyncClient(base_url=streaming.url, timeout=20) as http:
        said = {"sender": "working-rest", "message": "hi"}
        answer = (await http.post("/webhooks/rest/webhook", json=said)).json()
    assert [{k: v for k, v in m.items() if k != "recipient_id"} for m in answer] == [
        {"text": "Let me look."},
        {"text": "There **is** a table."},
        {"image": picture},
        {"text": "I cannot choose the wine for you."},
    ]


@pytest.mark.parametrize("work", [True, False])
async def test_a_page_is_shown_the_work_behind_an_answer_or_not(work: bool) -> None:
    options = ["--client-ids"] + ([] if work else ["--no-show-work"])
    with turnlog_part.running(*options, bot=f"{BOTS}:chosen") as server:
        async with opened(server.url, conversation="working-page") as page:
            await page.say("hi")
            await page.heard(5)
            await until(lambda: kinds(recorded(server, "working-page"))[-1] == "AnswerEnded")
            past = (await page.past())["messages"]
            heard = [
                m for _, _, data in [heard async for heard in page.stream(wait=False)] for m in data
            ]
    types = [message["type"] for message in past]
    assert [message["type"] for message in heard] == types
    said = ["user_uttered", *["bot_uttered"] * 4]
    if not work:
        assert types == said
        return
    assert types == [
        "user_uttered", "reasoning", "bot_uttered", "tool_called", "tool_returned", "bot_uttered",
        "bot_uttered", "bot_uttered", "measured",
    ]  # fmt: skip
    assert "arguments" not in past[3]
    assert past[4]["failed"] is False
    assert past[8]["model"] == "made-up-1"
    assert (past[8]["input"], past[8]["output"]) == (120, 34)
    assert past[7]["refusal"] is True
