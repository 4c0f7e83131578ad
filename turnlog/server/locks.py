"""One lock for each conversation, given in the order asked; different ones at once.

Messages, timers and whatever else speaks to a bot take their place here.
"""

from __future__ import annotations

from turnlog.domain.amounts import amount
from turnlog.engine.locks import KeyedLocks
from turnlog.server.errors import RequestRefused


class ConversationLocks(KeyedLocks):
    """waiting: how many may wait for one conversation; one more is refused."""

    def __init__(self, waiting: int = 32) -> None:
        super().__init__()
        self._limit = waiting

    async def enter(self, key: str) -> None:
        """Wait for the conversation; `release` must follow."""
        users = self.users(key)
        if users > self._limit:
            raise RequestRefused(
                429, "TooMany", f"{amount(users, 'message')} waiting in this conversation"
            )
        await super().enter(key)

    def busy(self, conversation: str) -> bool:
        return self.users(conversation) > 0
