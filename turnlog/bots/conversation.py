"""A bot's view of the conversation that it answers: the same live, in replay and in a dialog."""

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
    """A conversation including the message to answer, for the length of one answer.

    Redacted content is hidden everywhere. message: number of the event to answer; None for the
    newest.
    """

    def __init__(self, conversation: Conversation, message: int | None = None) -> None:
        self._conversation = conversation
        self._message = conversation.state.event if message is None else message

    @property
    def id(self) -> str:
        """The conversation's id."""
        return self._conversation.id

    @property
    def slots(self) -> dict[str, Any]:
        """The slots that have a value."""
        return self._conversation.slots

    @property
    def turn(self) -> int:
        """The number of the current turn."""
        return self._conversation.turn

    @property
    def state(self) -> State:
        """The conversation's state."""
        return self._conversation.state

    def events(self) -> Iterator[Event]:
        """All events so far, oldest first."""
        return self._conversation.events()

    def recorded(self) -> Iterator[RecordedEvent]:
        """All events so far with their numbers, times and commits."""
        return self._conversation.recorded()

    def messages(self, *, for_model: bool = False) -> Iterator[Message]:
        """The messages that count, oldest first, as today's models take them.

        for_model: calls without a result are closed, and compactions applied.
        """
        return self._conversation.messages(for_model=for_model)

    @cached_property
    def random(self) -> Random:
        """A random generator that gives the same numbers for the same message, live and in replay.

        Seeded by the conversation, its life and the message's number, not by the texts. In a fork
        the shared messages keep the seed of the conversation in which they were recorded.
        """
        return self._chance("random")

    def new_id(self) -> str:
        """A unique UUID. The n-th of an answer is always the same."""
        return str(UUID(int=self._ids.getrandbits(128), version=4))

    @cached_property
    def _ids(self) -> Random:
        """A separate generator, so that ids do not depend on the use of `random`."""
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
        """The tool's result. Call and result are recorded immediately. Raises ToolFailed if it
        failed.
        """
