"""The awaitable session manager: commits wait on threads, never on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from turnlog.domain.events import Event
from turnlog.domain.streams import check_id
from turnlog.sessions.manager import SessionManager
from turnlog.sessions.turn import SessionTurn, current

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

THREADS = 8
"""Separate threads: saves that wait for an unreachable log delay nothing else."""


class AsyncSessionManager:
    """The methods of SessionManager, awaitable.

    Takes the arguments of SessionManager, or an existing `manager`.
    """

    def __init__(
        self, db: str | None = None, *, manager: SessionManager | None = None, **settings: Any
    ) -> None:
        self.sync = manager or SessionManager(db, **settings)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="turnlog-session")

    async def _call(
        self,
        call: Callable[Arguments, Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """The result of a call on a thread, in the turn that is open here."""
        bound = partial(copy_context().run, call, *arguments, **named)
        return await asyncio.get_running_loop().run_in_executor(self._pool, bound)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the manager and ends its threads."""
        await self._call(self.sync.close)
        self._pool.shutdown()

    @property
    def prop_key(self) -> str:
        """See `SessionManager.prop_key`."""
        return self.sync.prop_key

    @asynccontextmanager
    async def turn(self, session_id: str) -> AsyncIterator[SessionTurn]:
        """See `SessionManager.turn`: one commit at the end of the block."""
        check_id(session_id)
        store = self.sync.store
        if (outer := current(store)) is not None:
            yield outer
            return
        async with store.turns.of(session_id):
            turn = SessionTurn(store, session_id)
            with turn.opened():
                yield turn
            await self._call(turn.commit)

    async def session(self, session_id: str) -> Self:
        """See `SessionManager.session`."""
        await self._call(self.sync.session, session_id)
        return self

    async def get(self, session_id: str, key: str, t: Callable[[Any], Any] | None = None) -> Any:
        """See `SessionManager.get`."""
        return await self._call(lambda: self.sync.get(session_id, key, t))

    async def get_global(self, key: str, t: Callable[[Any], Any] | None = None) -> Any:
        """See `SessionManager.get_global`."""
        return await self._call(self.sync.get_global, key, t)

    async def get_user_props(self, session_id: str) -> dict[str, Any]:
        """See `SessionManager.get_user_props`."""
        return await self._call(self.sync.get_user_props, session_id)

    async def get_from_props(
        self, session_id: str, prop_key: str, t: Callable[[Any], Any] | None = None
    ) -> Any:
        """See `SessionManager.get_from_props`."""
        return await self._call(self.sync.get_from_props, session_id, prop_key, t)

    async def fetch_all(self, session_id: str, is_global: bool = False) -> dict[str, Any] | None:
        """See `SessionManager.fetch_all`."""
        return await self._call(self.sync.fetch_all, session_id, is_global)

    async def key_in_session(self, session_id: str, key: str, check_global: bool = True) -> bool:
        """See `SessionManager.key_in_session`."""
        return await self._call(self.sync.key_in_session, session_id, key, check_global)

    async def save(self, session_id: str, key: str, data: Any, *, ttl: float | None = None) -> None:
        """See `SessionManager.save`."""
        await self._call(self.sync.save, session_id, key, data, ttl=ttl)

    async def save_all(self, session_id: str, data: Mapping[str, Any]) -> None:
        """See `SessionManager.save_all`."""
        await self._call(self.sync.save_all, session_id, data)

    async def save_global(self, key: str, data: Any) -> None:
        """See `SessionManager.save_global`."""
        await self._call(self.sync.save_global, key, data)

    async def save_prop(self, session_id: str, prop_key: str, data: Any) -> None:
        """See `SessionManager.save_prop`."""
        await self._call(self.sync.save_prop, session_id, prop_key, data)

    async def evict(self, session_id: str, key: str) -> None:
        """See `SessionManager.evict`."""
        await self._call(self.sync.evict, session_id, key)

    async def evict_all(self, session_id: str, keys: Iterable[str]) -> None:
        """See `SessionManager.evict_all`."""
        await self._call(self.sync.evict_all, session_id, keys)

    async def evict_global(self, key: str) -> None:
        """See `SessionManager.evict_global`."""
        await self._call(self.sync.evict_global, key)

    async def evict_prop(self, session_id: str, prop_key: str) -> bool:
        """See `SessionManager.evict_prop`."""
        return await self._call(self.sync.evict_prop, session_id, prop_key)

    async def clear(self, session_id: str, retain_keys: Iterable[str] | None = None) -> None:
        """See `SessionManager.clear`."""
        await self._call(self.sync.clear, session_id, retain_keys)

    async def clear_global(self) -> None:
        """See `SessionManager.clear_global`."""
        await self._call(self.sync.clear_global)

    async def record(self, session_id: str, *events: Event) -> None:
        """See `SessionManager.record`."""
        await self._call(self.sync.record, session_id, *events)
