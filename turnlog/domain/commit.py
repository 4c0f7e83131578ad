"""Commit: the events of one conversation that are recorded together."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from turnlog.domain.events import Event, UserUttered
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.redactions import Redactions
from turnlog.domain.traits import opens_turn


class RepeatKey(msgspec.Struct, frozen=True):
    """What identifies a repeated commit: its idempotency key, or a user's message by its id."""

    text: str
    life: int = 1
    is_message: bool = False


class Commit(msgspec.Struct, frozen=True):
    """Events of one conversation that were recorded together: eventsourcing's domain event.

    version counts the conversation's commits from 1. first_event is the number of its first event,
    first_turn the turn before it. recorded: the log's clock, UTC seconds. key: the idempotency key,
    unique in the conversation. position: in the whole log, None until it is known. life: of the
    conversation; each deletion ends one. hidden: the numbers of the events without their words.
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
        """The conversation, under eventsourcing's name."""
        return self.conversation

    @property
    def originator_version(self) -> int:
        """The version, under eventsourcing's name."""
        return self.version

    @property
    def last_event(self) -> int:
        """The number of its last event."""
        return self.first_event + len(self.events) - 1

    def repeat_keys(self) -> list[RepeatKey]:
        """The keys and message ids that identify it; those of an earlier commit belong to
        that one.
        """
        keys = [RepeatKey(id, self.life, is_message=True) for id in message_ids(self.events)]
        return keys if self.key is None else [*keys, RepeatKey(self.key, self.life)]

    def numbered(self) -> Iterator[tuple[int, Event]]:
        """Its events with their numbers, oldest first."""
        return enumerate(self.events, self.first_event)

    def shown(self, redactions: Redactions) -> Commit:
        """The commit as every view may show it."""
        events = tuple(itertools.starmap(redactions.shown, self.numbered()))
        hidden = frozenset(number for number, _ in self.numbered() if number in redactions)
        commit: Commit = replace(self, events=events, hidden=hidden)
        return commit

    def recorded_newest_first(self, upto: int | None = None) -> Iterator[RecordedEvent]:
        """Its events from the last to the first, up to and including number `upto`."""
        if upto is None or upto >= self.last_event:
            return reversed([*self.recorded_events()])
        return self._recorded_back(self.events[: max(0, upto - self.first_event + 1)])

    def _recorded_back(self, events: Sequence[Event]) -> Iterator[RecordedEvent]:
        """Its events from the last to the first, each decoded only when it is needed."""
        turn = self.first_turn + sum(opens_turn(event) for event in events)
        for index in range(len(events) - 1, -1, -1):
            yield self._recorded(self.first_event + index, turn, events[index])
            turn -= opens_turn(events[index])

    def recorded_events(self) -> Iterator[RecordedEvent]:
        """Its events with their numbers, oldest first."""
        turn = self.first_turn
        for number, event in enumerate(self.events, self.first_event):
            turn += opens_turn(event)
            yield self._recorded(number, turn, event)

    def _recorded(self, number: int, turn: int, event: Event) -> RecordedEvent:
        return RecordedEvent(
            self.conversation, number, turn, self.version, self.position, self.recorded, event,
            None, number in self.hidden, self.life,
        )  # fmt: skip


def message_ids(events: Iterable[Event]) -> list[str]:
    """The ids of the user's messages among events, in order."""
    return [
        event.message_id
        for event in events
        if isinstance(event, UserUttered) and event.message_id is not None
    ]
