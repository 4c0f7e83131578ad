"""Bots that stream, with two servers on one PostgreSQL: chunks from one, messages from both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import turnlog
from tests.integration.live.client import connected
from tests.integration.live.page import opened
from tests.integration.live.test_streaming_bots import BOTS, kinds, order
from tests.parts import turnlog as turnlog_part

if TYPE_CHECKING:
    from tests.parts.server import Server

WORDS = ["one two three", "whole", "the end"]


@pytest.fixture
def two(postgres_url: str) -> Iterator[tuple[Server, Server]]:
    bot = f"{BOTS}:chosen"
    with (
        turnlog_part.running("--client-ids", db=postgres_url, bot=bot) as one,
        turnlog_part.running("--client-ids", db=postgres_url, bot=bot) as other,
    ):
        yield one, other


async def test_chunks_come_from_the_server_that_runs_the_bot(two: tuple[Server, Server]) -> None:
    async with connected(two[0].url) as here, connected(two[1].url) as there:
        began = await here.session(session_id="words-a", after=0)
        await there.session(token=began["token"], after=0)
        await here.say("hi", session_id="words-a")
        await there.until(3, "bot_uttered")
        await here.until(2, "bot_typing")
    assert [said for said in order(here.heard) if isinstance(said, str)] == WORDS
    assert len(here.all("bot_chunk")) == 5
    assert order(there.heard) == WORDS
    assert here.events() == there.events()


async def test_only_the_server_that_runs_the_bot_stops_it(two: tuple[Server, Server]) -> None:
    async with opened(two[0].url, conversation="endless-a") as here:
        await here.say("hi")
        async with opened(two[1].url, token=here.token) as there:
            answers = [await page.http.post("/chat/stop", headers=page.headers)
                       for page in (there, here, there)]  # fmt: skip
    assert [answer.json()["stopped"] for answer in answers] == [False, True, False]


async def test_an_answer_whose_server_was_killed_continues_at_another(
    two: tuple[Server, Server], postgres_url: str
) -> None:
    (two[0].folder / "wait").touch()
    async with connected(two[0].url) as client:
        began = await client.session(session_id="waiting-a", after=0)
        await client.say("hi", session_id="waiting-a", message_id="m")
        await client.until(1, "bot_chunk")
        await client.until(1, "bot_uttered")
        await asyncio.sleep(0.5)  # longer than an answer may take without a lease
        seen = max(client.events())
        two[0].kill()
    async with connected(two[1].url) as client:
        await client.session(token=began["token"], after=seen)
        async with asyncio.timeout(10):  # the bot may take 30 s
            await client.when(lambda: {"typing": False} in client.all("bot_typing"))
        assert order(client.heard) == [("and ", True), ("ended", False), "and ended"]
    with turnlog.open(postgres_url, readonly=True) as log:
        events = list(log.conversation("waiting-a").events())
    assert kinds(events) == [
        "UserUttered", "ToolCalled", "ToolReturned", "BotUttered", "BotUttered", "AnswerEnded",
    ]  # fmt: skip
