"""Redis between servers on one log, which only carries the log's last position.

If Redis is unreachable, nothing is lost: each server polls the log, though less often.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from turnlog import AsyncTurnlog

logger = logging.getLogger(__name__)

CHANNEL = "turnlog"
CONNECT_SECONDS = 2.0
"""Seconds that Redis has to connect, and to take a message."""

RECONNECT_SECONDS = 1.0
"""Seconds between two attempts to listen."""


class RedisSignal:
    """Signals to the other servers how far the log has grown. `is_there`: Redis answers."""

    def __init__(self, url: str, log: AsyncTurnlog) -> None:
        self._log = log
        self._redis = Redis.from_url(
            url,
            socket_timeout=None,
            socket_connect_timeout=CONNECT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        self._heard = 0
        self._seen = 0
        self._grown = asyncio.Event()
        self.is_there = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listens and publishes for the duration of the block."""
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._publish())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            with suppress(RedisError, OSError):
                await self._redis.aclose()

    def saw(self, position: int) -> None:
        """Announces that this server has read the log up to a position."""
        self._seen = position
        if position > self._heard:
            self._grown.set()

    async def _publish(self) -> None:
        while True:
            await self._grown.wait()
            self._grown.clear()
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._redis.publish(CHANNEL, self._seen)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(CHANNEL)
                    self._is(there=True)
                    async for message in channel.listen():
                        self._hear(message["data"])
            except (RedisError, OSError) as error:
                self._is(there=False, why=type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    def _hear(self, data: bytes) -> None:
        if data.isdigit() and len(data) < 20:
            self._heard = max(self._heard, int(data))
            if self._heard > self._seen:
                self._log.sync.store.signal.send()

    def _is(self, *, there: bool, why: str = "") -> None:
        if there != self.is_there:
            logger.warning("redis is %s", "reachable" if there else f"unreachable ({why})")
        self.is_there = there
        self._log.sync.store.signal.send()
