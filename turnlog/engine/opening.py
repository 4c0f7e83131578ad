"""Opening a log by its URL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Sequence
from os import PathLike
from typing import Any

from turnlog.engine.aio import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.engine.witnessing import witnessed
from turnlog.keys.opening import recorder


def open(
    url: str,
    *,
    clock: Callable[[], float] = time.time,
    readonly: bool = False,
    keys: str | None = None,
    witness: str | PathLike[str] | None = None,
    verifiers: Sequence[str] = (),
) -> Turnlog:
    """Open a log: `sqlite:///chat.db`, `postgresql://…` or `memory:`. A context manager.

    Creates a missing log. With `readonly` nothing is created or written: raises NoSuchLog for a
    missing log, StorageError for every write. keys: the key store of a sealed log,
    `sqlite:///keys.db` or `postgresql://…`; a new log is sealed with it. Raises StorageError if the
    log is sealed with other keys, or is not sealed.

    witness: where heads of the log are kept: a note, a folder or a URL. Raises Rewritten if the log
    does not continue from the newest of them; so does reading a row that was changed. verifiers:
    public keys, as `keygen` prints them, one of which must have signed that head; without them it
    is trusted because of where it is.
    """
    store = recorder(url, keys=keys, create=not readonly, readonly=readonly)
    try:
        if witness is not None:
            return Turnlog(witnessed(store, str(witness), verifiers), clock)
        return Turnlog(store, clock)
    except BaseException:
        store.close()
        raise


def aopen(
    url: str,
    *,
    clock: Callable[[], float] = time.time,
    readonly: bool = False,
    keys: str | None = None,
    witness: str | PathLike[str] | None = None,
    verifiers: Sequence[str] = (),
) -> AsyncOpener:
    """The same, awaitable: `await turnlog.aopen(url)` or `async with turnlog.aopen(url) as log`."""
    options: dict[str, Any] = {"keys": keys, "witness": witness, "verifiers": verifiers}
    return AsyncOpener(lambda: open(url, clock=clock, readonly=readonly, **options))


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
