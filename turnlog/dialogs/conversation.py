"""The conversation that a dialog works on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnlog.bots.conversation import BotConversation
from turnlog.domain.conversation import Conversation
from turnlog.errors import TurnlogError


class DialogConversation(BotConversation):
    """A conversation as a dialog sees it, without tools."""

    def __init__(self, conversation: Conversation, clock: Callable[[], float]) -> None:
        super().__init__(conversation)
        self._now = clock()

    @property
    def now(self) -> float:
        """The time when the answer began, UTC seconds."""
        return self._now

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Raises TurnlogError: the runner provides no tools."""
        raise TurnlogError(f"unknown tool {tool!r}; this runner provides no tools")
