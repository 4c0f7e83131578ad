"""The Socket.IO and REST channels as Rasa's clients know them."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from tests.integration.live.client import connected
from tests.parts import turnlog as turnlog_part
from tests.parts.server import Server

BOTS = "tests.integration.live.bots"


async def test_a_plain_client_gets_a_session_id_and_answers(server: Server) -> None:
    async with connected(server.url) as client:
        id = await client.session()
        assert isinstance(id, str)
        assert len(id) >= 32
        await client.say("a table for two", session_id=id)
        [asked] = await client.until(1, "bot_uttered")
        assert asked["text"] == "For which day?"
        assert asked["quick_replies"][0] == {
            "content_type": "text",
            "title": "today",
            "payload": "today",
        }


async def test_a_session_continues_under_its_id(server: Server) -> None:
    async with connected(server.url) as client:
        id = await client.session()
        await client.say("a table for two", session_id=id)
        await client.until(1, "bot_uttered")
    async with connected(server.url) as client:
        assert await client.session(session_id=id) == id
        await client.say("tomorrow", session_id=id)
        [asked] = await client.until(1, "bot_uttered")
        assert asked["text"] == "At what time?"


async def test_a_client_that_counts_gets_what_it_missed_in_order_and_once(server: Server) -> None:
    async with connected(server.url) as client:
        began = await client.session(after=0)
        await client.say("a table for two", message_id="m1")
        [said] = await client.until(1, "user_uttered")
        [first] = await client.until(1, "bot_uttered")
        assert (said["message"], said["message_id"]) == ("a table for two", "m1")
        assert said["event"] < first["event"]
    async with connected(server.url) as other:
        await other.session(token=began["token"], after=0)
        await other.say("tomorrow", message_id="m2")
        await other.until(2, "bot_uttered")
        events = other.events()
        assert len(events) == 4
        assert events == sorted(set(events))
    async with connected(server.url) as client:
        await client.session(token=began["token"], after=first["event"])
        await client.until(1, "bot_uttered")
        assert client.events() == events[2:]


async def test_two_tabs_of_a_session_see_each_other(server: Server) -> None:
    async with connected(server.url) as one, connected(server.url) as two:
        began = await one.session(after=0)
        await two.session(token=began["token"], after=0)
        await one.say("a table for two")
        await two.until(1, "bot_uttered")
        await two.say("tomorrow")
        await one.until(2, "bot_uttered")
        await two.until(2, "bot_uttered")
        assert one.events() == two.events()
        assert [m["message"] for m in one.all("user_uttered")] == ["a table for two", "tomorrow"]


async def test_the_same_message_id_again_is_recorded_once(server: Server) -> None:
    async with connected(server.url) as client:
        await client.session(after=0)
        first = await client.say("a table for two", message_id="once")
        again = [await client.say("a table for two", message_id="once") for _ in range(5)]
        assert all(answer["event"] == first["event"] for answer in again)
        await client.until(1, "bot_uttered")
        await asyncio.sleep(0.3)
        assert len(client.all("bot_uttered")) == len(client.all("user_uttered")) == 1


async def test_every_kind_of_message_goes_out_as_rasa_sends_it(chosen_server: Server) -> None:
    async with connected(chosen_server.url) as client:
        await client.say("everything", session_id="kinds")
        heard = await client.until(8, "bot_uttered")
    button = {"content_type": "text", "title": "Yes", "payload": "/yes"}
    card = {"template_type": "generic", "elements": {"title": "Card"}}
    assert heard == [
        {"text": "one"},
        {"text": "two"},
        {"text": "first", "quick_replies": []},
        {"text": "last", "quick_replies": [button]},
        {"attachment": {"type": "image", "payload": {"src": "https://example.com/a.png"}}},
        {"attachment": {"type": "file", "payload": {}}},
        {"attachment": {"type": "template", "payload": card}},
        {"any": "thing"},
    ]


async def test_names_path_namespace_and_metadata_key_can_be_changed() -> None:
    options = (
        "--socketio-path", "/chat.io", "--namespace", "/bot", "--user-message-evt", "said",
        "--bot-message-evt", "answered", "--metadata-key", "about",
    )  # fmt: skip
    with turnlog_part.running(*options, bot=f"{BOTS}:metadata") as server:
        paths = {"socketio_path": "/chat.io", "namespaces": ["/bot"]}
        async with connected(server.url, **paths) as client:
            id = await client.session(namespace="/bot")
            for about in ({"page": 1}, json.dumps({"page": 2})):
                said = {"message": "hi", "session_id": id, "about": about}
                await client.sio.emit("said", said, namespace="/bot")
            first, second = await client.until(2, "answered")
    assert (first["text"], second["text"]) == ("{'page': 1}", "{'page': 2}")


async def test_without_persistence_the_socket_is_the_session() -> None:
    with turnlog_part.running("--no-session-persistence") as server:
        async with connected(server.url) as client:
            assert await client.session(session_id="mine") == "mine"
            answer = await client.say("a table for two", session_id="mine")
            assert answer["session_id"] == client.sio.get_sid("/")
            await client.until(1, "bot_uttered")


async def test_messages_are_answered_in_order_and_conversations_concurrently(
    chosen_server: Server,
) -> None:
    now = asyncio.get_running_loop().time
    async with connected(chosen_server.url) as client:
        await client.session(session_id="slow")
        began = now()
        for text in ("one", "two", "three"):
            await client.sio.emit("user_uttered", {"message": text, "session_id": "slow"})
        heard = await client.until(3, "bot_uttered")
        assert [message["text"] for message in heard] == ["one", "two", "three"]
        assert now() - began >= 0.9  # one after the other

    async def ask(http: httpx.AsyncClient, number: int) -> None:
        said = {"sender": f"slow-{number}", "message": "hi"}
        assert (await http.post("/webhooks/rest/webhook", json=said)).json()[0]["text"] == "hi"

    async with httpx.AsyncClient(base_url=chosen_server.url) as http:
        began = now()
        await asyncio.gather(*(ask(http, number) for number in range(20)))
        assert now() - began < 20 * 0.3  # what one after the other would take


@pytest.mark.parametrize(
    ("bot", "kind"),
    [
        ("failing", "error"),
        ("impossible", "error"),
        ("hanging", "timeout"),
        ("stubborn", "timeout"),
    ],
)
async def test_a_bot_that_gives_no_answer_leaves_a_record_and_the_next_is_asked(
    chosen_server: Server, bot: str, kind: str
) -> None:
    async with httpx.AsyncClient(base_url=chosen_server.url, timeout=20) as http:
        for text in ("first", "second"):
            said = {"sender": bot, "message": text}
            assert (await http.post("/webhooks/rest/webhook", json=said)).json() == []
        events = (await http.get(f"/v1/conversations/{bot}/events")).json()["events"]
    if bot == "failing":
        assert "no answer today" in events[1]["extra"]["traceback"]
        lines = map(json.loads, chosen_server.log.read_text().splitlines()[2:])
        logged = [line["exception"] for line in lines if "exception" in line]
        assert 'raise ValueError("no answer today")' in logged[0]
    found = [(event["type"], event.get("kind", "error")) for event in events]
    assert found == [("UserUttered", "error"), ("BotFailed", kind)] * 2


@pytest.mark.parametrize("sender", ["x" * 1001, "é" * 501, "\x1fupkeep"])
async def test_the_webhook_refuses_a_sender_that_cannot_be_an_id(
    server: Server, sender: str
) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        said = {"sender": sender, "message": "hi"}
        answer = await http.post("/webhooks/rest/webhook", json=said)
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
        assert "1,000" in answer.json()["message"] or "U+001F" in answer.json()["message"]
        longest = {"sender": "x" * 1000, "message": "hi"}
        assert (await http.post("/webhooks/rest/webhook", json=longest)).status_code == 200


async def test_the_webhook_answers_as_rasas_and_streams(server: Server) -> None:
    url = f"{server.url}/webhooks/rest/webhook"
    async with httpx.AsyncClient() as http:
        answer = await http.post(url, json={"sender": "w", "message": "a table for two"})
        assert answer.json()[0]["recipient_id"] == "w"
        assert answer.json()[0]["text"] == "For which day?"
        streamed = await http.post(
            url, params={"stream": "true"}, json={"sender": "w", "message": "tomorrow"}
        )
        [line] = streamed.text.splitlines()
        assert json.loads(line)["text"] == "At what time?"
        for bad in (b"not json", b"[]", b"{}", b"[" * 50_000):
            refused = await http.post(
                url, content=bad, headers={"Content-Type": "application/json"}
            )
            assert (refused.status_code, refused.json()["status"]) == (400, "failure")


async def test_a_deleted_sender_of_the_webhook_begins_again(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:

        async def say(text: str) -> object:
            said = {"sender": "again", "message": text}
            return (await http.post("/webhooks/rest/webhook", json=said)).json()[0]["text"]

        assert await say("a table for two") == "For which day?"
        deleted = {"type": "ConversationDeleted"}
        await http.post("/v1/conversations/again/events", json=deleted)
        assert await say("a table for two") == "For which day?"
        assert await say("tomorrow") == "At what time?"


async def test_a_message_of_a_deleted_conversation_that_comes_again_opens_nothing(
    server: Server,
) -> None:
    """A repeat is known, so its sender stops, and no later message waits forever."""
    events = "/v1/conversations/gone/events"
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:

        async def say(text: str, id: str) -> object:
            said = {"sender": "gone", "message": text, "message_id": id}
            answer = await http.post("/webhooks/rest/webhook", json=said)
            assert answer.status_code == 200
            return [message["text"] for message in answer.json()]

        assert await say("a table for two", "m1") == ["For which day?"]
        await http.post(events, json={"type": "ConversationDeleted"})
        assert await say("a table for two", "m1") == []
        assert (await http.get(events)).status_code == 404
        assert await say("a table for two", "m2") == ["For which day?"]
        assert await say("a table for two", "m1") == []
        old = {"type": "UserUttered", "text": "a table for two", "message_id": "m1"}
        known = (await http.post(events, json=old)).json()
        assert (known["new"], known["event"], known["repeated"]) == (False, 0, ["m1"])
        mixed = (await http.post(events, json=[old, {"type": "SlotSet", "name": "n"}])).json()
        assert (mixed["new"], mixed["events"], mixed["repeated"]) == (True, 1, ["m1"])


async def test_a_bot_behind_a_url_is_asked_and_recorded(server: Server) -> None:
    with turnlog_part.running(bot=f"{server.url}/webhooks/rest/webhook") as front:
        async with connected(front.url) as client:
            id = await client.session()
            await client.say("a table for two", session_id=id)
            [asked] = await client.until(1, "bot_uttered")
            assert asked["text"] == "For which day?"
            assert asked["quick_replies"][1]["payload"] == "tomorrow"
        server_down = turnlog_part.running(bot="http://127.0.0.1:9/webhook")
    with server_down as front:
        async with httpx.AsyncClient() as http:
            await http.post(
                f"{front.url}/webhooks/rest/webhook", json={"sender": "a", "message": "hi"}
            )
            events = (await http.get(f"{front.url}/v1/conversations/a/events")).json()["events"]
    assert [event["type"] for event in events] == ["UserUttered", "BotFailed"]


async def test_events_are_recorded_and_read_over_http_and_reach_the_room(
    naming_server: Server,
) -> None:
    url = f"{naming_server.url}/v1/conversations/proactive/events"
    async with connected(naming_server.url) as client, httpx.AsyncClient() as http:
        await client.session(session_id="proactive")
        reminder = {"type": "BotUttered", "text": "Do not forget!"}
        for _ in range(3):
            done = await http.post(url, json=reminder, headers={"Idempotency-Key": "r1"})
            assert done.json()["event"] == 1
        assert (await client.until(1, "bot_uttered"))[0] == {"text": "Do not forget!"}
        await asyncio.sleep(0.2)
        assert len(client.all("bot_uttered")) == 1
        page = (await http.get(url, params={"after": 0})).json()
        assert (page["last"], page["events"][0]["text"]) == (1, "Do not forget!")
        assert (await http.post(url, json={"type": "Nonsense"})).status_code == 400


async def test_a_deleted_session_is_gone_and_a_number_too_high_loses_nothing(
    server: Server,
) -> None:
    async with connected(server.url) as client, httpx.AsyncClient(base_url=server.url) as http:
        began = await client.session(after=0)
        again = await client.session(token=began["token"], after=1_000)
        assert (again["session_id"], again["event"]) == (began["session_id"], 0)
        await client.say("a table for two")
        await client.until(1, "bot_uttered")
        deleted = {"type": "ConversationDeleted"}
        await http.post(f"/v1/conversations/{began['session_id']}/events", json=deleted)
        await client.sio.emit("session_request", {"token": began["token"], "after": 0})
        [gone] = await client.until(1, "chat_error")
        assert gone["reason"] == "Gone"
        said = await client.say("hi again")
        assert said["event"] == 1  # of a new life


async def test_a_conversation_is_forked_over_http(naming_server: Server) -> None:
    async with httpx.AsyncClient(base_url=f"{naming_server.url}/v1/conversations") as http:
        said = [{"type": "UserUttered", "text": text} for text in ("one", "two")]
        await http.post("/forked/events", json=said)
        asked = {"as": "fork", "turn": 1}
        for new in (True, False):
            done = await http.post("/forked/fork", json=asked, headers={"Idempotency-Key": "f1"})
            assert done.status_code == 201
            assert done.json() == {
                "conversation": "fork", "version": 1, "event": 2, "events": 1, "new": new,
                    "repeated": [],
            }  # fmt: skip
        page = (await http.get("/fork/events")).json()
        assert [event.get("text") for event in page["events"]] == ["one", None]
        assert (await http.post("/forked/fork", json=asked)).status_code == 400
        assert (await http.post("/missing/fork", json={"as": "other"})).status_code == 404
        assert (await http.post("/forked/fork", json={"turn": 1})).status_code == 400
