"""Conversations replayed concurrently: bots that wait, block, or do not stop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import turnlog
from turnlog import BotUttered, Event, UserUttered
from turnlog.bots import LoadedBot
from turnlog.errors import BotError
from turnlog.replay import ReplayedConversation, replay
from turnlog.replay.running import watchdog

IDS = [f"c{n}" for n in range(12)]
TURNS = 3


@pytest.fixture(scope="module")
def log() -> Iterator[turnlog.Turnlog]:
    with turnlog.open("memory:") as opened:
        for id in IDS:
            turn: list[Event] = [UserUttered("is it?"), BotUttered("yes")]
            opened.record(id, *turn * TURNS)
        yield opened


def replayed(log: turnlog.Turnlog, bot: Any, **options: Any) -> list[ReplayedConversation]:
    return list(replay(log, IDS, LoadedBot(bot), **options))


def kinds(found: list[ReplayedConversation]) -> dict[str, list[tuple[int, str]]]:
    """The conversations with divergences, their turns and kinds."""
    return {
        one.conversation: [(each.turn, each.kind) for each in one.divergences]
        for one in found
        if one.divergences
    }


@pytest.mark.parametrize("concurrency", [1, 5])
def test_no_more_conversations_run_concurrently_than_allowed(
    log: turnlog.Turnlog, concurrency: int
):
    most = now = 0

    async def bot(conversation: Any, message: UserUttered) -> str:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        now -= 1
        return "yes"

    assert kinds(replayed(log, bot, concurrency=concurrency)) == {}
    assert most == concurrency


def test_plain_functions_wait_in_threads(log: turnlog.Turnlog):
    together = threading.Barrier(4, timeout=30)

    def bot(conversation: Any, message: UserUttered) -> str:
        together.wait()
        return "yes"

    assert kinds(replayed(log, bot, concurrency=4)) == {}


def test_each_answer_has_its_own_time(log: turnlog.Turnlog):
    async def bot(conversation: Any, message: UserUttered) -> str:
        if conversation.id == "c3" and conversation.turn == 2:
            await asyncio.sleep(60)
        return "yes"

    found = replayed(log, bot, concurrency=4, timeout=0.2)
    assert kinds(found) == {"c3": [(2, "timeout")]}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_only_a_bot_that_blocks_is_interrupted(log: turnlog.Turnlog, concurrency: int):
    """The others, whose answers are overdue because of it, answer a moment later."""

    async def bot(conversation: Any, message: UserUttered) -> str:
        if conversation.id == "c3" and conversation.turn == 2:
            time.sleep(60)
        await asyncio.sleep(0)
        return "yes"

    found = kinds(replayed(log, bot, concurrency=concurrency, timeout=5))
    assert found == {"c3": [(2, "timeout")]}


def test_a_task_of_the_bot_that_blocks_is_interrupted(log: turnlog.Turnlog):
    async def blocks() -> None:
        time.sleep(60)

    async def bot(conversation: Any, message: UserUttered) -> str:
        if conversation.id == "c3":
            await asyncio.create_task(blocks())
        return "yes"

    found = kinds(replayed(log, bot, concurrency=4, timeout=0.2))
    assert found["c3"] == [(turn, "timeout") for turn in range(1, TURNS + 1)]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_bot_that_cannot_be_stopped_is_named(log: turnlog.Turnlog, concurrency: int):
    async def bot(conversation: Any, message: UserUttered) -> str:
        while conversation.id == "c3":
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue
        return "yes"

    with pytest.raises(BotError, match="conversation 'c3': the bot does not stop"):
        replayed(log, bot, concurrency=concurrency, timeout=0.1)


def test_a_quick_bot_is_never_interrupted(log: turnlog.Turnlog, monkeypatch: pytest.MonkeyPatch):
    """However long a conversation of instant answers takes, none of them is overdue."""
    monkeypatch.setattr(watchdog, "GRACE_SECONDS", 0.0)

    async def bot(conversation: Any, message: UserUttered) -> str:
        time.sleep(0.06)  # 12 × 3 of these, within one step of the loop, are 2 s
        return "yes"

    assert kinds(replayed(log, bot, timeout=0.4)) == {}
