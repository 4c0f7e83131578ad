"""What a message led to: the events it caused, and those of its turn that name no cause."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from math import inf
from typing import get_args

from turnlog.domain import events as e
from turnlog.domain.traits import AboutMessage, Utterance

Numbered = tuple[int, e.Event]

_UTTERANCES = frozenset(get_args(Utterance))
_ABOUT = frozenset(get_args(AboutMessage))


class Consequences:
    """What follows from what in a conversation; events: all of them, oldest first.

    One walk over them answers for every message.
    """

    def __init__(self, events: Sequence[Numbered]) -> None:
        self.events = events
        self._numbers = [number for number, _ in events]
        self._utterances: list[int] = []
        self._of_user: list[int] = []
        self._links: dict[int, int] = {}
        self._about: defaultdict[int, list[int]] = defaultdict(list)
        calls: dict[str | None, int] = {}
        for number, event in events:
            self._take(number, event, calls)
        self._messages = frozenset(self._utterances)

    def _take(self, number: int, event: e.Event, calls: dict[str | None, int]) -> None:
        """Note what the event follows from: its cause, its message, its call."""
        kind, link = type(event), event.cause
        if kind in _UTTERANCES:
            self._utterances.append(number)
            if kind is e.UserUttered:
                self._of_user.append(number)
        elif isinstance(event, e.ToolCalled):
            calls[event.call_id] = number
        elif kind in _ABOUT and (message := event.message) is not None:  # type: ignore[attr-defined]
            self._about[message].append(number)
            link = message if link is None else link
        elif link is None and isinstance(event, e.ToolReturned):
            link = calls.get(event.call_id)
        if link is not None:
            self._links[number] = link

    def event(self, number: int) -> e.Event | None:
        """The event with that number, or None."""
        return next((event for _, event in self._between(number, number + 1)), None)

    def after(self, number: int) -> Iterator[Numbered]:
        """The events above a number, oldest first."""
        return self._between(number + 1, inf)

    def _between(self, number: int, end: float) -> Iterator[Numbered]:
        """The events from a number on, before another."""
        first, last = bisect_left(self._numbers, number), bisect_left(self._numbers, end)
        return (self.events[index] for index in range(first, last))

    def those(self, numbers: Collection[int]) -> list[Numbered]:
        """The events with these numbers, oldest first."""
        found = ((number, self.event(number)) for number in sorted(numbers))
        return [(number, event) for number, event in found if event is not None]

    def about(self, messages: Collection[int]) -> list[int]:
        """The numbers of the events that are about one of some messages."""
        return [number for message in messages for number in self._about.get(message, ())]

    def of(self, message: int, before: float = inf) -> frozenset[int]:
        """The numbers of the events that a message led to.

        An event whose causes lead to no message counts by its place: in the message's turn, up to
        the next message that is not a user's, and before an event.
        """
        messages = self._messages | {message}
        origins = {number: self._origin(number, messages) for number in self._links}
        end = min(self._end(message), before)
        near = (n for n, _ in self._between(message + 1, end) if origins.get(n) is None)
        return frozenset((*(n for n, origin in origins.items() if origin == message), *near))

    def _origin(self, number: int, messages: Collection[int]) -> int | None:
        """The message that the event's causes lead to, or None."""
        seen: set[int] = set()
        cause = self._links.get(number)
        while cause is not None and cause not in seen:
            if cause in messages:
                return cause
            seen.add(cause)
            cause = self._links.get(cause)
        return None

    def _end(self, message: int) -> float:
        """The number of the message that ends its turn."""
        is_of_user = isinstance(self.event(message), e.UserUttered)
        ends = self._of_user if is_of_user else self._utterances
        following = bisect_right(ends, message)
        return ends[following] if following < len(ends) else inf
