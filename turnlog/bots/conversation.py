"""What a bot sees of the conversation it answers: the same live, in replay and in a dialog."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event
from turnlog.domain.messages import Message
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.state import State


class BotConversation(ABC):
    """The conversation, the message included, good for one answer.

    What was redacted is hidden in all of it.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    @property
    def id(self) -> str:
        return self._conversation.id

    @property
    def slots(self) -> dict[str, Any]:
        """The slots that have a value."""
        return self._conversation.slots

    @property
    def turn(self) -> int:
        return self._conversation.turn

    @property
    def state(self) -> State:
        return self._conversation.state

    def events(self) -> Iterator[Event]:
        """Everything recorded so far, oldest first."""
        return self._conversation.events()

    def recorded(self) -> Iterator[RecordedEvent]:
        """The same with all that is known of each event."""
        return self._conversation.recorded()

    def messages(self, *, for_model: bool = False) -> Iterator[Message]:
        """What was said and counts, oldest first, as today's models take it.

        for_model: calls without a result are closed, and compactions carried out.
        """
        return self._conversation.messages(for_model=for_model)

    @property
    @abstractmethod
    def now(self) -> float:
        """UTC seconds: the clock's time live, the recorded time in replay."""

    @abstractmethod
    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """The tool's result; both are recorded at once. Raises ToolFailed where it failed."""
