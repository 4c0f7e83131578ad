"""Handles bots that block their thread or do not stop."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

GRACE_SECONDS = 1.0
"""Seconds after its timeout before a bot is interrupted."""

LOOKS = 4
"""How often the watchdog looks in that time."""


class Stuck(BaseException):
    """Raised inside a bot that blocks; not an Exception, so that the bot does not catch it.

    id: the conversation of a bot that does not block, but did not stop when it was told to.
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__()
        self.id = id


class Watched:
    """An answer that a bot works on. due: when it is overdue, by the monotonic clock."""

    def __init__(self, id: str, due: float) -> None:
        self.id = id
        self.due = due


class BotWatchdog:
    """Raises Stuck in code that blocks the event loop for longer than an answer may take.

    Works in a process's main thread, which can receive alarms. seconds: the time of an answer; None
    for no limit. Of several waiting bots only the one that blocks is interrupted.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = None if seconds is None else seconds + GRACE_SECONDS
        self._answers: dict[Any, Watched | None] = {}
        self._blocking: Any = None
        self._late: Watched | None = None
        self._seen = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, id: str) -> None:
        """The running task asks a bot."""
        if self._loop is not None and self._seconds is not None:
            due = time.monotonic() + self._seconds
            self._answers[asyncio.current_task()] = Watched(id, due)

    def end(self) -> None:
        """The task has its answer."""
        if self._loop is not None:
            self._answers[asyncio.current_task()] = None

    @contextmanager
    def watching(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Watch the loop meanwhile.

        Another alarm that is due earlier fires normally; a later one is restored.
        """
        remaining, interval = _alarm()
        if self._seconds is None or not _has_alarms() or 0 < remaining <= self._seconds:
            yield
            return
        began = time.monotonic()
        before = signal.signal(signal.SIGALRM, self._look)
        self._loop, self._seen = loop, 0
        tick = self._seconds / LOOKS
        signal.setitimer(signal.ITIMER_REAL, tick, tick)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            self._loop = None
            self._answers.clear()
            if remaining:
                left = max(remaining - (time.monotonic() - began), 0.001)
                signal.setitimer(signal.ITIMER_REAL, left, interval)

    def _look(self, number: int, frame: FrameType | None) -> None:
        assert self._loop is not None
        task = asyncio.current_task(self._loop)
        if task is None:
            self._check_overdue()
        running = self._answers.get(task, task)  # a task made by the bot represents itself
        if running is None or running is not self._blocking:
            self._blocking, self._seen = running, 0
            self._loop.call_soon_threadsafe(self._turned)
        self._seen += 1
        if running is not None and self._seen > LOOKS:
            self._seen = 0
            raise Stuck

    def _turned(self) -> None:
        """The loop runs: nothing blocks it."""
        self._blocking = None

    def _check_overdue(self) -> None:
        """For a bot that does not block: its time is over, and the loop has run since."""
        now = time.monotonic()
        overdue = (each for each in self._answers.values() if each is not None and each.due < now)
        late, self._late = self._late, next(overdue, None)
        if late is not None and late is self._late:
            raise Stuck(late.id)


@contextmanager
def watched_alone(id: str, seconds: float) -> Iterator[None]:
    """A watchdog for one answer, in the running event loop."""
    watchdog = BotWatchdog(seconds)
    with watchdog.watching(asyncio.get_running_loop()):
        watchdog.begin(id)
        yield


def _has_alarms() -> bool:
    is_main = threading.current_thread() is threading.main_thread()
    return is_main and hasattr(signal, "SIGALRM")


def _alarm() -> tuple[float, float]:
    return signal.getitimer(signal.ITIMER_REAL) if _has_alarms() else (0.0, 0.0)
