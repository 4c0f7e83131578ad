"""Opening a log by its URL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Any

from turnlog.engine.aio import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.storage.urls import recorder


def open(url: str, *, clock: Callable[[], float] = time.time, readonly: bool = False) -> Turnlog:
    """Open a log: `sqlite:///chat.db`, `postgresql://…` or `memory:`. A context manager.

    A log that does not exist yet is created. With `readonly` nothing is created or written:
    raises NoSuchLog where there is none, StorageError for whatever would write.
    """
    return Turnlog(recorder(url, create=not readonly, readonly=readonly), clock)


def aopen(
    url: str, *, clock: Callable[[], float] = time.time, readonly: bool = False
) -> AsyncOpener:
    """The same, awaitable: `await turnlog.aopen(url)` or `async with turnlog.aopen(url) as log`."""
    return AsyncOpener(lambda: open(url, clock=clock, readonly=readonly))


class AsyncOpener:
    """What `aopen` returns: `await` it, or use it in `async with`."""

    def __init__(self, opener: Callable[[], Turnlog]) -> None:
        self._opener = opener
        self._log: AsyncTurnlog | None = None

    def __await__(self) -> Generator[Any, None, AsyncTurnlog]:
        return self._opened().__await__()

    async def __aenter__(self) -> AsyncTurnlog:
        self._log = await self._opened()
        return self._log

    async def __aexit__(self, *exception: object) -> None:
        assert self._log is not None
        await self._log.close()

    async def _opened(self) -> AsyncTurnlog:
        return AsyncTurnlog(await asyncio.to_thread(self._opener))
