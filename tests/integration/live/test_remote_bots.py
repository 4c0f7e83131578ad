"""Bots behind a URL, with whole or streamed answers: turnlog behind turnlog, and others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.integration.live.client import connected
from tests.integration.live.test_streaming_bots import BOTS, kinds, order, recorded
from tests.parts import turnlog as turnlog_part
from tests.parts.server import HOST
from turnlog import BotFailed, BotUttered, UserUttered
from turnlog.bots import ask
from turnlog.bots.remote import MAX_ANSWER_BYTES, RemoteBot


async def test_turnlog_streams_through_another_turnlog() -> None:
    with (
        turnlog_part.running("--client-ids", bot=f"{BOTS}:chosen") as inner,
        turnlog_part.running("--client-ids", bot=f"{inner.url}/webhooks/rest/webhook") as outer,
    ):
        async with connected(outer.url) as client:
            await client.session(session_id="words-a", after=0)
            await client.say("hi", session_id="words-a")
            await client.until(2, "bot_typing")
            assert order(client.heard) == [
                ("one ", True), ("two ", False), ("three", False), "one two three", "whole",
                ("the ", True), ("end", False), "the end",
            ]  # fmt: skip
            await client.session(session_id="failing-a", after=0)
            await client.say("hi", session_id="failing-a")
            await client.until(4, "bot_typing")
        assert kinds(recorded(outer, "words-a")) == kinds(recorded(inner, "words-a"))
        failed = recorded(outer, "failing-a")
        assert kinds(failed) == [
            "UserUttered", "BotUttered", "BotUttered", "AnswerBrokenOff", "BotFailed",
            "AnswerEnded",
        ]  # fmt: skip
        assert "broken off: error" in failed[4].detail


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n"
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\nContent-Type: text/event-stream\r\n\r\n"


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[str]:
    """The URL of a webhook that sends these bytes and hangs up."""

    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        with suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        done.set()

    server = await asyncio.start_server(answer, HOST, 0)
    async with server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
        await done.wait()


async def asked(*pieces: bytes) -> list[Any]:
    class Here:
        id = "a"

    async with answering(*pieces) as url:
        bot = RemoteBot(url, 5)
        async with bot.client:
            return list(await ask(bot, Here(), UserUttered("hi"), 5))  # type: ignore[arg-type]


async def test_server_sent_events_of_any_server_are_read() -> None:
    found = await asked(
        HEAD + b": hello\r\n\r\nevent: chunk\r\ndata: {\"text\"",
        b':"a t\xc3', b"\xbcr",
        b'"}\r\n\r\nid: 7\nevent:chunk\ndata: {"text": "k"}\n\n',
        b'event: unknown\ndata: {}\n\ndata: {"text": "a t\xc3\xbcrk",\ndata: "buttons": []}\n\n',
        b'data: {"text": 5}\n\nevent: end\ndata: {}\n\nevent: message\ndata: {"text": "late"}\n\n',
    )  # fmt: skip
    assert found == [BotUttered("a türk", {"buttons": []}), BotUttered("5")]


@pytest.mark.parametrize(
    ("pieces", "why", "said"),
    [
        ([HEAD, b'event: chunk\ndata: {"text": "be"}\n\n'], "before its end", ["be"]),
        ([CUT, b'event: chunk\ndata: {"text": "be"}\n\n'], "RemoteProtocolError", ["be"]),
        ([HEAD, b"data: no json\n\n"], "did not answer with JSON", []),
        ([HEAD, b"data: [1]\n\n"], "did not stream JSON objects", []),
        ([HEAD, b'event: chunk\ndata: {"text": 5}\n\n'], "a chunk's text must be a str", []),
        ([HEAD, b"data: " + b"x" * (MAX_ANSWER_BYTES + 1)], "more than", []),
        ([HEAD.replace(b"200 OK", b"500 No")], "status 500", []),
        ([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}"], "a list of messages", []),
    ],
)
async def test_an_incomplete_answer_is_a_failure(
    pieces: list[bytes], why: str, said: list[str]
) -> None:
    *before, failed = await asked(*pieces)
    assert [event.text for event in before] == said
    assert isinstance(failed, BotFailed)
    assert why in (failed.detail or "")


async def test_a_list_of_messages_is_read() -> None:
    body = b'[{"recipient_id": "a", "text": "one"}, {"image": "https://example.com/a.png"}]'
    found = await asked(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert found == [BotUttered("one"), BotUttered(None, {"image": "https://example.com/a.png"})]
