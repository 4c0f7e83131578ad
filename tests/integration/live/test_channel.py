"""The Socket.IO channel as Rasa's clients know it."""

from __future__ import annotations

from tests.integration.live.client import connected
from tests.parts.server import Server


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


async def test_a_session_goes_on_under_its_id(server: Server) -> None:
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
        events = [data["event"] for name, data in other.heard if name.endswith("_uttered")]
        assert len(events) == 4
        assert events == sorted(set(events))
    async with connected(server.url) as client:
        await client.session(token=began["token"], after=first["event"])
        await client.until(1, "bot_uttered")
        missed = [data["event"] for name, data in client.heard if name.endswith("_uttered")]
        assert missed == events[2:]
