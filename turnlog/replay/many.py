"""Many conversations replayed, by this process or by several."""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stdout
from typing import Any

from turnlog import bots
from turnlog.bots import LoadedBot
from turnlog.engine.log import Turnlog
from turnlog.errors import BotError
from turnlog.keys.opening import recorder
from turnlog.replay.one import Stuck, replay_one
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.rules import Rules
from turnlog.storage.recorder import Recorder

ANSWER_SECONDS = 30.0
"""Seconds that a bot has for an answer."""

CONVERSATIONS_AT_ONCE = 8
"""Conversations that a process is given at once."""


def replay(
    log: Turnlog,
    ids: Iterable[str],
    bot: LoadedBot,
    *,
    rules: Rules | None = None,
    timeout: float = ANSWER_SECONDS,
    jobs: int = 1,
) -> Iterator[ReplayedConversation]:
    """What each conversation's replay gives, in the order of the ids.

    jobs: processes that share the work; each opens the log and loads the bot, by its name, once
    more (a log in memory stays with this one). timeout: seconds an answer may take. What the bot
    prints goes to stderr.
    """
    rules = rules or Rules()
    if jobs <= 1 or log.store.url == "memory:":
        yield from _here(log, ids, bot, rules, timeout)
        return
    try:
        yield from _shared(log.store, list(ids), bot.name, rules, timeout, jobs)
    except BrokenProcessPool as error:
        raise BotError(f"bot {bot.name!r} ended the process it ran in") from error


def _here(
    log: Turnlog, ids: Iterable[str], bot: LoadedBot, rules: Rules, timeout: float
) -> Iterator[ReplayedConversation]:
    with asyncio.Runner() as runner:
        for id in ids:
            yield _run(runner, replay_one(log, id, bot, rules=rules, timeout=timeout), id)


def _run(
    runner: asyncio.Runner, replaying: Coroutine[Any, Any, ReplayedConversation], id: str
) -> ReplayedConversation:
    try:
        with redirect_stdout(sys.stderr):
            return runner.run(replaying)
    except Stuck as error:
        raise BotError(f"conversation {id!r}: the bot will not be stopped") from error


def _shared(
    store: Recorder, ids: list[str], bot: str, rules: Rules, timeout: float, jobs: int
) -> Iterator[ReplayedConversation]:
    context = multiprocessing.get_context("spawn")
    begin = (*store.where, bot, rules, timeout)
    with ProcessPoolExecutor(jobs, context, _begin, begin) as pool:
        yield from pool.map(_work, ids, chunksize=CONVERSATIONS_AT_ONCE)


_worker: tuple[asyncio.Runner, Turnlog, LoadedBot, Rules, float]


def _begin(url: str, keys: str | None, bot: str, rules: Rules, timeout: float) -> None:
    """In each process, before its first conversation."""
    global _worker
    with redirect_stdout(sys.stderr):
        loaded = bots.load(bot)
    log = Turnlog(recorder(url, keys=keys, readonly=True))
    _worker = (asyncio.Runner(), log, loaded, rules, timeout)


def _work(id: str) -> ReplayedConversation:
    runner, log, bot, rules, timeout = _worker
    return _run(runner, replay_one(log, id, bot, rules=rules, timeout=timeout), id)
