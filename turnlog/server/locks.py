"""One lock for each conversation, granted in order; different conversations run concurrently.

Messages, timers and everything else that speaks to a bot queue here.
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
        """Waits for the conversation; `release` must follow."""
        users = self.users(key)
        if users > self._limit:
            raise RequestRefused(
                429, "TooMany", f"{amount(users, 'message')} waiting in this conversation"
            )
        await super().enter(key)

    def busy(self, conversation: str) -> bool:
        """Whether anything has or waits for the conversation."""
        return self.users(conversation) > 0
