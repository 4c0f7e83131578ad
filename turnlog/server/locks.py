"""One lock for each conversation, given in the order asked; different ones at once.

Messages, timers and whatever else speaks to a bot take their place here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from turnlog.server.errors import RequestRefused


class ConversationLocks:
    """waiting: how many may wait for one conversation; one more is refused."""

    def __init__(self, waiting: int = 32) -> None:
        self._limit = waiting
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def of(self, conversation: str) -> AsyncIterator[None]:
        """The conversation is the caller's alone inside the block."""
        await self.enter(conversation)
        try:
            yield
        finally:
            self.leave(conversation)

    async def enter(self, conversation: str) -> None:
        """Wait for the conversation; whoever enters sees to it that `leave` follows."""
        users = self._users.get(conversation, 0)
        if users > self._limit:
            raise RequestRefused(
                429, "TooMany", f"{users} messages are waiting in this conversation"
            )
        self._users[conversation] = users + 1
        try:
            await self._locks.setdefault(conversation, asyncio.Lock()).acquire()
        except BaseException:
            self._forget(conversation)
            raise

    def leave(self, conversation: str) -> None:
        self._locks[conversation].release()
        self._forget(conversation)

    def busy(self, conversation: str) -> bool:
        return conversation in self._users

    def _forget(self, conversation: str) -> None:
        self._users[conversation] -= 1
        if not self._users[conversation]:
            del self._users[conversation], self._locks[conversation]
