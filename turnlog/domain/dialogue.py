"""Turn and Dialogue: views of a conversation's events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from turnlog.domain.events import Event, UserUttered
from turnlog.domain.traits import opens_turn


class Turn(msgspec.Struct, frozen=True):
    """A user message and everything up to the next one; number 0 is what comes before the first.

    first_event: the number of the first of its events.
    """

    number: int
    first_event: int
    events: tuple[Event, ...]

    def numbered(self) -> Iterator[tuple[int, Event]]:
        return enumerate(self.events, self.first_event)

    @property
    def message(self) -> UserUttered | None:
        first = self.events[0] if self.events else None
        return first if isinstance(first, UserUttered) else None


class Dialogue(msgspec.Struct, frozen=True):
    """A conversation's name and its events, oldest first: all of them, or those of its last turns.

    first_event: the number of the first; first_turn: the turn before it. 1 and 0 for all. origin:
    the conversation that has those before, where this is a fork that goes on from them;
    origin_turn: the last of its turns that this one shares, where the numbers do not say so.
    """

    name: str
    events: tuple[Event, ...]
    first_event: int = 1
    first_turn: int = 0
    origin: str | None = None
    origin_turn: int | None = None

    @property
    def last_event(self) -> int:
        """The number before the first, where there are none."""
        return self.first_event + len(self.events) - 1

    def numbered(self) -> Iterator[tuple[int, Event]]:
        """Its events with their numbers, oldest first."""
        return enumerate(self.events, self.first_event)

    def turns(self) -> Iterator[Turn]:
        return turns(self.events, self.first_event, self.first_turn)

    def last(self, count: int) -> Dialogue:
        """The same conversation, its last `count` turns only."""
        every = list(self.turns())
        kept = every[-count:] if count > 0 else []
        events = tuple(event for turn in kept for event in turn.events)
        first_event = self.first_event + len(self.events) - len(events)
        numbers = [self.first_turn, *(turn.number for turn in every)]
        return Dialogue(self.name, events, first_event, numbers[len(every) - len(kept)])


def turns(events: Iterable[Event], first_event: int = 1, first_turn: int = 0) -> Iterator[Turn]:
    """Events, oldest first, cut into turns; `first_turn` is the turn before the first of them."""
    number, start, gathered = first_turn, first_event, list[Event]()
    for event in events:
        if opens_turn(event):
            if gathered:
                yield Turn(number, start, tuple(gathered))
                start, gathered = start + len(gathered), []
            number += 1
        gathered.append(event)
    if gathered:
        yield Turn(number, start, tuple(gathered))
