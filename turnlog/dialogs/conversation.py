"""The conversation that a dialog works on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnlog.bots.conversation import BotConversation
from turnlog.domain.conversation import Conversation
from turnlog.errors import TurnlogError


class DialogConversation(BotConversation):
    """As a dialog sees it, where there are no tools."""

    def __init__(self, conversation: Conversation, clock: Callable[[], float]) -> None:
        super().__init__(conversation)
        self._now = clock()

    @property
    def now(self) -> float:
        return self._now

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        raise TurnlogError(f"there is no tool {tool!r} here")
