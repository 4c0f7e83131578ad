"""Turn and Dialogue: views of a conversation's events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from turnlog.domain.events import Event, UserUttered
from turnlog.domain.traits import opens_turn


class Turn(msgspec.Struct, frozen=True):
    """A user message and everything up to the next one; turn 0 precedes the first message.

    first_event: the number of its first event.
    """

    number: int
    first_event: int
    events: tuple[Event, ...]

    def numbered(self) -> Iterator[tuple[int, Event]]:
        """Its events with their numbers, oldest first."""
        return enumerate(self.events, self.first_event)

    @property
    def message(self) -> UserUttered | None:
        """The user message that begins the turn; None for turn 0."""
        first = self.events[0] if self.events else None
        return first if isinstance(first, UserUttered) else None


class Dialogue(msgspec.Struct, frozen=True):
    """A conversation's name and its events, oldest first: all of them, or those of its last turns.

    first_event: the number of the first; first_turn: the turn before it. 1 and 0 for all. origin:
    for a fork, the conversation that has the earlier events; origin_turn: its last shared turn, if
    the numbers do not say so.
    """

    name: str
    events: tuple[Event, ...]
    first_event: int = 1
    first_turn: int = 0
    origin: str | None = None
    origin_turn: int | None = None

    @property
    def last_event(self) -> int:
        """The number before the first event, which is also the last number if there are no
        events.
        """
        return self.first_event + len(self.events) - 1

    def numbered(self) -> Iterator[tuple[int, Event]]:
        """Its events with their numbers, oldest first."""
        return enumerate(self.events, self.first_event)

    def turns(self) -> Iterator[Turn]:
        """Its turns, oldest first."""
        return turns(self.events, self.first_event, self.first_turn)

    def last(self, count: int) -> Dialogue:
        """The same conversation with its last `count` turns only."""
        every = list(self.turns())
        kept = every[-count:] if count > 0 else []
        events = tuple(event for turn in kept for event in turn.events)
        first_event = self.first_event + len(self.events) - len(events)
        numbers = [self.first_turn, *(turn.number for turn in every)]
        return Dialogue(self.name, events, first_event, numbers[len(every) - len(kept)])


def turns(events: Iterable[Event], first_event: int = 1, first_turn: int = 0) -> Iterator[Turn]:
    """Events, oldest first, split into turns; `first_turn` is the turn before the first of them."""
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
