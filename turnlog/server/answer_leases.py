"""Leases on answers: servers on the same PostgreSQL take an advisory lock for each answer.

A lock ends with the connection that holds it, so the unfinished answers of a killed server are free
immediately. A quick answer takes no lock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import Any

import psycopg

from turnlog.storage.postgres_connection import is_alive
from turnlog.storage.urls import libpq_url

logger = logging.getLogger(__name__)

QUICK_SECONDS = 0.25
"""An answer within this time, in seconds, takes no lock."""

RENEWAL_SECONDS = 1.0
"""Seconds between checks that the connection that holds a lock still exists."""

PATIENCE_SECONDS = 2.0


class AnswerLeases:
    """One connection that holds the locks of one server."""

    def __init__(self, url: str) -> None:
        self._address = libpq_url(url)
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()
        self._working: set[asyncio.Task[Any]] = set()

    async def take(self, name: str) -> bool:
        """Takes the lease on an answer. False if another server has it, or on an error."""
        return await self._ask("SELECT pg_try_advisory_lock(%s)", name)

    def release(self, name: str) -> None:
        """Gives back what `take` took, in the background."""
        self._start(self._ask("SELECT pg_advisory_unlock(%s)", name))

    @asynccontextmanager
    async def held(self, name: str) -> AsyncIterator[None]:
        """Holds the lease on the answer from shortly after the block began until the block ends."""
        ended = asyncio.Event()
        self._start(self._hold(name, ended))
        try:
            yield
        finally:
            ended.set()

    async def close(self) -> None:
        """Waits for the work in the background and closes the connection."""
        await asyncio.gather(*self._working, return_exceptions=True)
        await self._drop()

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _hold(self, name: str, ended: asyncio.Event) -> None:
        """Never cancelled, so that the connection is not left in the middle of an answer."""
        if await _within(ended, QUICK_SECONDS):
            return
        holder = None
        while not ended.is_set():
            if holder is None or holder is not self._connection or not is_alive(holder):
                holder = self._connection if await self.take(name) else None
            await _within(ended, RENEWAL_SECONDS)
        if holder is not None and holder is self._connection:
            self.release(name)

    async def _ask(self, statement: Any, name: str) -> bool:
        async with self._turn:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    connection = await self._connected()
                    row = await (await connection.execute(statement, [_key(name)])).fetchone()
                    return bool(row and row[0])
            except (psycopg.Error, OSError, TimeoutError) as error:
                logger.warning(
                    "cannot check which server works on an answer: %s", type(error).__name__
                )
                await self._drop()
                return False
            except asyncio.CancelledError:
                await self._drop()  # it may be in the middle of an answer
                raise

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or not is_alive(self._connection):
            await self._drop()
            # PgBouncer lends a connection for a transaction: one that never ends keeps its locks
            self._connection = await psycopg.AsyncConnection.connect(
                self._address.url,
                autocommit=not self._address.pooled,
                prepare_threshold=None if self._address.pooled else 5,
            )
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set before the timeout."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


def _key(name: str) -> int:
    digest = sha256(f"turnlog answer {name}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
