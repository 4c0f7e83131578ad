"""The events that others recorded after a framework's own last event, for a door to offer."""

from __future__ import annotations

from collections.abc import Container
from typing import get_args

from turnlog.domain import events as e
from turnlog.domain.message_groups import side
from turnlog.domain.traits import Rewind

_CHANGING = (
    e.MessageEdited, e.MessageRegenerated, e.AnswerMeasured, e.AnswerBrokenOff, e.HistoryCompacted,
    *get_args(Rewind),
)  # fmt: skip


class Foreign:
    """Numbers of the events that change a conversation's messages and did not come from the
    door.
    """

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self.last = 0
        """Number of the last event that changes the messages, from any source."""

    def take(self, number: int, event: e.Event) -> None:
        """Notes an event if it changes the messages."""
        if side(event) is not None or (isinstance(event, _CHANGING) and not _forks(event)):
            self._numbers.append(number)
            self.last = number

    def own(self, numbers: Container[int]) -> None:
        """Notes that the door recorded the newest events with these numbers."""
        while self._numbers and self._numbers[-1] in numbers:
            self._numbers.pop()

    def forget(self, upto: int) -> None:
        """Drops the events up to and including `upto`."""
        self._numbers = [number for number in self._numbers if number > upto]

    def after(self, seen: int) -> list[int]:
        """The numbers after an event, oldest first."""
        return [number for number in self._numbers if number > seen]


def _forks(event: e.Event) -> bool:
    """Whether the event begins a fork, which changes no message."""
    return isinstance(event, e.HistoryContinued) and event.conversation is not None
