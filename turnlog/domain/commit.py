"""Commit: the events of one conversation that are recorded at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from turnlog.domain.events import Event, UserUttered
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.redactions import Redactions


class Commit(msgspec.Struct, frozen=True):
    """Events of one conversation that were recorded together: eventsourcing's domain event.

    version counts the conversation's commits from 1. first_event is the number of the first of
    its events, first_turn the turn before them. recorded: the log's clock, UTC seconds.
    key: the idempotency key, unique in the conversation. position: in the whole log, None until
    it is known. life: of the conversation, which begins anew after each deletion. hidden:
    numbers of those whose words were taken out, for those who look.
    """

    conversation: str
    version: int
    first_event: int
    first_turn: int
    recorded: float
    events: tuple[Event, ...]
    key: str | None = None
    position: int | None = None
    life: int = 1
    hidden: frozenset[int] = frozenset()

    @property
    def originator_id(self) -> str:
        return self.conversation

    @property
    def originator_version(self) -> int:
        return self.version

    @property
    def last_event(self) -> int:
        return self.first_event + len(self.events) - 1

    def numbered(self) -> Iterator[tuple[int, Event]]:
        """Its events with their numbers, oldest first."""
        return enumerate(self.events, self.first_event)

    def shown(self, redactions: Redactions) -> Commit:
        """The commit as every view may show it."""
        events = tuple(itertools.starmap(redactions.shown, self.numbered()))
        hidden = frozenset(number for number, _ in self.numbered() if number in redactions)
        commit: Commit = replace(self, events=events, hidden=hidden)
        return commit

    def recorded_events(self) -> Iterator[RecordedEvent]:
        """Its events with their numbers, oldest first."""
        turn = self.first_turn
        for number, event in enumerate(self.events, self.first_event):
            turn += isinstance(event, UserUttered)
            yield RecordedEvent(
                self.conversation, number, turn, self.version, self.position, self.recorded, event,
                redacted=number in self.hidden, life=self.life,
            )  # fmt: skip
