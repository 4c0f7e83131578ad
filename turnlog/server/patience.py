"""Timeouts and retries for the log and for a bot."""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio import FIRST_COMPLETED
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import count
from typing import Any, NamedTuple, TypeVar

from turnlog.bots import LiveConversation, bot_failed
from turnlog.domain.events import BotFailed, Event
from turnlog.errors import Unavailable
from turnlog.server.settings import Settings

logger = logging.getLogger(__name__)

Done = TypeVar("Done")

LOG_ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.25
LAST_PAUSE_SECONDS = 4.0
"""Attempts of a stopping server to record an answer; seconds before the second, then doubled."""

SHORTEST_WAIT_SECONDS = 0.05

STOPPED = "stopped"
"""The reason that is recorded when a reader stops an answer."""


class Patience:
    """Patience with the log. seconds: for one request. ending: the server is stopping."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.ending = False

    async def in_time(self, work: Awaitable[Done]) -> Done:
        """The result of the work. Raises Unavailable after the timeout."""
        try:
            async with asyncio.timeout(self._seconds):
                return await work
        except TimeoutError as error:
            raise Unavailable("the log does not answer; send the message again") from error

    async def insist(self, work: Callable[[], Awaitable[Done]]) -> Done:
        """Repeats the work until the log is reachable. A stopping server gives up at last."""
        for attempt in count():
            try:
                return await work()
            except Unavailable as error:
                if self.ending and attempt >= LOG_ATTEMPTS:
                    raise
                logger.warning("the log is unreachable, an answer waits: %s", error)
            await asyncio.sleep(min(FIRST_PAUSE_SECONDS * 2 ** min(attempt, 9), LAST_PAUSE_SECONDS))
        raise AssertionError

    async def insist_in_time(self, work: Callable[[], Awaitable[Done]]) -> Done:
        """Repeats the work, with a timeout for each attempt."""
        return await self.insist(lambda: self.in_time(work()))


class Outcome(NamedTuple):
    """What is to be recorded after what was heard. broken: why the answer is incomplete."""

    events: Sequence[Event]
    broken: str | None = None


async def bot_answer(
    asking: Coroutine[Any, Any, Sequence[Event]],
    view: LiveConversation,
    settings: Settings,
    stop: asyncio.Event,
) -> Outcome:
    """The answer, or a BotFailed. A bot that ignores its cancellation is abandoned.

    Time that the bot spends waiting for the log does not count.
    """
    task = asyncio.ensure_future(asking)
    stopping = asyncio.ensure_future(stop.wait())
    time_left = _TimeLeft(view, settings)
    try:
        while (left := time_left.seconds()) > 0 and not stop.is_set():
            wait = max(left, SHORTEST_WAIT_SECONDS)
            await asyncio.wait({task, stopping}, timeout=wait, return_when=FIRST_COMPLETED)
            if task.done():
                return _outcome(task)
    except asyncio.CancelledError:  # the server ends
        task.cancel()
        raise
    finally:
        stopping.cancel()
    task.cancel()
    if stop.is_set():
        return Outcome((), STOPPED)
    return Outcome((BotFailed("timeout", time_left.what_passed()),), "timeout")


def _outcome(task: asyncio.Future[Sequence[Event]]) -> Outcome:
    if task.cancelled():
        failed = BotFailed("error", "CancelledError: the bot cancelled itself")
        return Outcome((failed,), failed.kind)
    error = task.exception()
    if error is None or isinstance(error, Exception):
        events = task.result()
    else:  # a bot should not raise this
        events = (bot_failed(error),)
    last = events[-1] if events else None
    return Outcome(events, last.kind if isinstance(last, BotFailed) else None)


class _TimeLeft:
    """The timeouts of one request to a bot: for the whole answer, and until its next piece."""

    def __init__(self, view: LiveConversation, settings: Settings) -> None:
        self._view = view
        self._whole = settings.bot_timeout
        self._between = settings.bot_idle_timeout
        self._began = time.monotonic()

    def seconds(self) -> float:
        left = self._began + self._whole + self._view.waited - time.monotonic()
        return left if self._between is None else min(left, self._between - self._view.idle())

    def what_passed(self) -> str:
        if self._between is not None and self._view.idle() >= self._between:
            return f"nothing for {self._between:g} s"
        return f"no answer within {self._whole:g} s"
