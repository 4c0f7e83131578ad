"""The conversation that a dialog works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.errors import TurnlogError


class DialogConversation:
    """A conversation as a dialog sees it where there are no tools."""

    def __init__(self, conversation: Conversation, clock: Callable[[], float]) -> None:
        self._conversation = conversation
        self.id = conversation.id
        self.slots = conversation.slots
        self.turn = conversation.turn
        self.state = conversation.state
        self.now = clock()

    def events(self) -> Iterator[e.Event]:
        return self._conversation.events()

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        raise TurnlogError(f"there is no tool {tool!r} here")
