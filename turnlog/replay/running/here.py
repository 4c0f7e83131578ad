"""Replays conversations in this process, one after the other or concurrently."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from typing import Any, TypeVar

from turnlog.bots import LoadedBot
from turnlog.engine.log import Turnlog
from turnlog.errors import BotError
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.running.asking import Asker
from turnlog.replay.running.debugging import without_breakpoints
from turnlog.replay.running.one import replay_one
from turnlog.replay.running.settings import ReplaySettings
from turnlog.replay.running.watchdog import BotWatchdog, Stuck

SIDE_BY_SIDE = 64
"""How many conversations are begun together, for each that runs concurrently."""

Result = TypeVar("Result")


class Here:
    """A bot in this process. Call `close` at the end."""

    def __init__(self, log: Turnlog, bot: LoadedBot, settings: ReplaySettings) -> None:
        self._log = log
        self._settings = settings
        self._watchdog = BotWatchdog(settings.limit)
        self._asker = Asker(bot, settings, self._watchdog)
        self._runner = asyncio.Runner()
        self._running: dict[str, None] = {}
        self._is_stuck = False

    def close(self) -> None:
        """Close the event loop; one in which a bot does not stop is abandoned."""
        if self._is_stuck:
            _abandon(self._runner.get_loop())
        else:
            self._runner.close()

    def replay(self, ids: Iterable[str]) -> Iterator[ReplayedConversation]:
        """The result of each conversation, in the order of the ids.

        Raises BotError if the bot ends its process or does not stop.
        """
        if self._settings.concurrency == 1:
            yield from (self._run(self._one(id)) for id in ids)
            return
        waiting = iter(ids)
        while together := list(islice(waiting, SIDE_BY_SIDE * self._settings.concurrency)):
            yield from self._run(self._many(together))

    async def _one(self, id: str) -> ReplayedConversation:
        self._running[id] = None
        replayed = await replay_one(self._log, id, self._asker)
        del self._running[id]
        return replayed

    async def _many(self, ids: list[str]) -> list[ReplayedConversation]:
        free = asyncio.Semaphore(self._settings.concurrency)

        async def one(id: str) -> ReplayedConversation:
            async with free:
                return await self._one(id)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(id)) for id in ids]
        return [task.result() for task in tasks]

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        loop = self._runner.get_loop()
        self._running.clear()
        try:
            with self._surroundings(), self._watchdog.watching(loop):
                return self._runner.run(work)
        except BaseException as error:
            explained = self._explained(_first(error))
            if explained is error:
                raise
            raise explained from error

    def _explained(self, error: BaseException) -> BaseException:
        """The error for an exception that ended the replay."""
        if isinstance(error, Stuck):
            self._is_stuck = True
            where = one_of([error.id] if error.id else list(self._running))
            return BotError(f"{where}: the bot does not stop")
        is_ours = isinstance(error, KeyboardInterrupt) and _is_interruptible()
        if is_ours or isinstance(error, Exception):
            return error
        return BotError(f"{one_of(list(self._running))}: the bot ended its process: {error!r}")

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """Sends a bot's output to stderr and refuses breakpoints, unless it is debugged."""
        if self._settings.pdb:
            yield
        else:
            with redirect_stdout(sys.stderr), without_breakpoints():
                yield


def _abandon(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop without waiting for tasks that do not stop."""
    for task in asyncio.all_tasks(loop):
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it is known to be pending
    loop.close()
    asyncio.set_event_loop(None)


def _first(error: BaseException) -> BaseException:
    """The first failure among concurrent conversations."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _is_interruptible() -> bool:
    return signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


NAMED = 5
"""The most conversations that are named if it may be one of several."""


def one_of(ids: Sequence[str]) -> str:
    """Words for a conversation that is one of these."""
    if len(ids) == 1:
        return f"conversation {ids[0]!r}"
    more = ", …" if len(ids) > NAMED else ""
    return f"one of conversations {', '.join(map(repr, ids[:NAMED]))}{more}"
