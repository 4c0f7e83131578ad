"""What a bot sees of the conversation it answers: the same live, in replay and in a dialog."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from random import Random
from typing import Any
from uuid import UUID

from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event
from turnlog.domain.messages import Message
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.state import State


class BotConversation(ABC):
    """The conversation, the message included, good for one answer.

    What was redacted is hidden in all of it. message: number of the event that is answered; None
    for the newest.
    """

    def __init__(self, conversation: Conversation, message: int | None = None) -> None:
        self._conversation = conversation
        self._message = conversation.state.event if message is None else message

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

    @cached_property
    def random(self) -> Random:
        """Chance that falls alike whenever this message is answered, live or in replay.

        Seeded by the conversation, its life and the message's number, not by what was said. In a
        fork the shared messages keep the seed of the conversation that they were recorded in.
        """
        return self._chance("random")

    def new_id(self) -> str:
        """A UUID that nobody else has; the first of this answer is always the same, and so on."""
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    @cached_property
    def _ids(self) -> Random:
        """Of its own, so that ids stay the same where `random` is used more or less."""
        return self._chance("id")

    def _chance(self, use: str) -> Random:
        conversation, life = self._conversation.recorded_in(self._message)
        return Random(f"{use} {life} {self._message} {conversation}")

    @property
    @abstractmethod
    def now(self) -> float:
        """UTC seconds: the clock's time live, the recorded time in replay."""

    @abstractmethod
    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """The tool's result; both are recorded at once. Raises ToolFailed where it failed."""
