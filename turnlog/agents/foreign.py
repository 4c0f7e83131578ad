"""What others recorded in a conversation after a framework's own last event: a door offers it."""

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
    """The numbers of the events that change a conversation's messages and are not a door's own."""

    def __init__(self) -> None:
        self._numbers: list[int] = []
        self.last = 0
        """Number of the last event that changes the messages, whoever recorded it."""

    def take(self, number: int, event: e.Event) -> None:
        if side(event) is not None or (isinstance(event, _CHANGING) and not _forks(event)):
            self._numbers.append(number)
            self.last = number

    def own(self, numbers: Container[int]) -> None:
        """Note that the door recorded the newest events of these numbers."""
        while self._numbers and self._numbers[-1] in numbers:
            self._numbers.pop()

    def forget(self, upto: int) -> None:
        """Offer nothing of what comes before an event."""
        self._numbers = [number for number in self._numbers if number > upto]

    def after(self, seen: int) -> list[int]:
        """Those after an event, oldest first."""
        return [number for number in self._numbers if number > seen]


def _forks(event: e.Event) -> bool:
    """Whether a fork begins with it, which changes nothing."""
    return isinstance(event, e.HistoryContinued) and event.conversation is not None
