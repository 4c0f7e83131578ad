"""Locks by key: one holder at a time for each, in the order they asked."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, AbstractContextManager

from turnlog.storage import forks


class KeyedLocks(forks.Forked):
    """A lock for each key in use; threads and coroutines wait in one queue.

    The locks are not reentrant.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._queues: dict[str, deque[Future[None]]] = {}
        forks.tell(self)

    def after_fork(self) -> None:
        """A fork: holders and waiters of locks stayed behind in the parent."""
        self._guard = threading.Lock()
        self._queues.clear()

    def of(self, key: str) -> KeyedLock:
        """The key's lock, for `with` in a thread or `async with` in a coroutine."""
        return KeyedLock(self, key)

    def users(self, key: str) -> int:
        """How many hold the lock or wait for it."""
        with self._guard:
            queue = self._queues.get(key)
            return 0 if queue is None else 1 + len(queue)

    def acquire(self, key: str) -> None:
        """Wait as a thread; `release` must follow."""
        if (place := self._queued(key)) is not None:
            try:
                place.result()
            except BaseException:
                self._give_up(key, place)
                raise

    async def enter(self, key: str) -> None:
        """Wait as a coroutine; `release` must follow."""
        if (place := self._queued(key)) is not None:
            try:
                await asyncio.wrap_future(place)
            except BaseException:
                self._give_up(key, place)
                raise

    def release(self, key: str) -> None:
        """Pass the lock to the first waiter."""
        with self._guard:
            queue = self._queues.get(key)
            if queue is None:  # taken before its process forked
                return
            while queue:
                place = queue.popleft()
                if place.set_running_or_notify_cancel():
                    break
            else:
                del self._queues[key]
                return
        place.set_result(None)

    def _queued(self, key: str) -> Future[None] | None:
        """A place in the queue; None if the lock was free and now belongs to the caller."""
        with self._guard:
            queue = self._queues.get(key)
            if queue is None:
                self._queues[key] = deque()
                return None
            place: Future[None] = Future()
            queue.append(place)
            return place

    def _give_up(self, key: str, place: Future[None]) -> None:
        """Leave the queue; if the lock was passed on meanwhile, pass it to the next."""
        if not place.cancel():
            self.release(key)


class KeyedLock(AbstractContextManager[None], AbstractAsyncContextManager[None]):
    """The lock of one key."""

    def __init__(self, locks: KeyedLocks, key: str) -> None:
        self._locks = locks
        self._key = key

    def __enter__(self) -> None:
        self._locks.acquire(self._key)

    def __exit__(self, *exception: object) -> None:
        self._locks.release(self._key)

    async def __aenter__(self) -> None:
        await self._locks.enter(self._key)

    async def __aexit__(self, *exception: object) -> None:
        self._locks.release(self._key)
