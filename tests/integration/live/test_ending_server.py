"""A server that ends while a bot streams leaves the answer owed, as after a crash."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import Chunk, UserUttered
from turnlog.bots import LoadedBot
from turnlog.server import runner
from turnlog.server.services import Services
from turnlog.server.settings import Settings


@asynccontextmanager
async def serving(settings: Settings, bot: LoadedBot) -> AsyncIterator[Services]:
    """The parts of a server, without its routes; it ends as a server does."""
    async with turnlog.aopen(settings.db) as log:
        services = Services(settings, log, b"secret", bot=bot, clock=time.time)
        async with services.feed.running():
            yield services
            await services.runner.finish()


async def test_an_answer_that_takes_long_is_owed_when_the_server_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "ENDING_SECONDS", 0.1)
    begun, ends, closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield "first"
        yield Chunk("begun ")
        begun.set()
        try:
            await ends.wait()
        finally:
            closed.set()
        yield Chunk("and ended")

    settings = Settings(db=f"sqlite:///{tmp_path}/log.db")
    async with serving(settings, LoadedBot(bot)) as services:
        receipt = await services.runner.receive("a", UserUttered("hi"))
        await begun.wait()
    assert receipt.answer.cancelled()
    await asyncio.wait_for(closed.wait(), 5)
    ends.set()
    async with serving(settings, LoadedBot(bot)) as services:
        await services.runner.resume("a")
        async with asyncio.timeout(5):
            while not services.log.sync.keyed("a", "\x1fanswer 1"):
                await asyncio.sleep(0.01)
    with turnlog.open(settings.db, readonly=True) as log:
        events = list(log.conversation("a").events())
    assert [getattr(event, "text", None) for event in events] == [
        "hi", "first", "begun and ended", None,
    ]  # fmt: skip
