"""A conversation's past, as decisions and folds read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from turnlog.domain.apply import REWINDS, REWRITES
from turnlog.domain.context import Context
from turnlog.domain.effects.messages import rewrite
from turnlog.domain.events import Event
from turnlog.domain.fold import At, fold, no_past
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.redactions import Redactions
from turnlog.domain.state import State, copy_context


class History(Protocol):
    """A conversation's past, read only when an event returns to it."""

    def newest_first(self, upto: int | None = None) -> Iterator[tuple[int, Event]]:
        """Event numbers and events, from the last, or from a given number, to the first."""
        ...

    def state(self, event: int) -> State:
        """The state after the event with that number; after 0 it is the initial one."""
        ...


def past(history: History, state: State) -> At:
    """The contexts that a fold which starts at a state can return to.

    Reads the state there and, if messages were edited since, the events since.
    """
    last, rewritten = state.event, state.rewritten

    def at(number: int) -> Context:
        context = copy_context(history.state(number).context)
        since = history.newest_first() if rewritten > number else iter(())
        rewrites: list[Event] = []
        for later, event in since:
            if later <= number:
                break
            if later <= last and type(event) in REWRITES:
                rewrites.append(event)
        for event in reversed(rewrites):
            rewrite(context, event)  # type: ignore[arg-type]  # a rewrite
        return context

    return at


FAR = 32
"""From this many retracted events on, they are skipped rather than read."""


def leading(history: History) -> Iterator[tuple[int, Event]]:
    """The part of the past that was not retracted, newest first, without the rewinds."""
    upto: int | None = None
    while upto != 0:
        for number, event in history.newest_first(upto):
            if upto is not None and number > upto:
                continue
            if type(event) not in REWINDS:
                yield number, event
                continue
            upto = event.to  # type: ignore[attr-defined]  # a rewind
            if upto is not None and upto < number - FAR:
                break
        else:
            return


class NoHistory:
    """The past of a new conversation: no events, and the initial state."""

    def events(self, after: int = 0, upto: int | None = None) -> Iterator[Event]:
        """None."""
        return iter(())

    def newest_first(self, upto: int | None = None) -> Iterator[tuple[int, Event]]:
        """None."""
        return iter(())

    def state(self, event: int) -> State:
        """The initial state; raises LookupError for any event but 0."""
        return no_past(event) if event else State()

    def recorded(self, after: int = 0) -> Iterator[RecordedEvent]:
        """None."""
        return iter(())

    def recorded_newest_first(
        self, upto: int | None = None, expected: int | None = None
    ) -> Iterator[RecordedEvent]:
        """None."""
        return iter(())

    def rewinds(self, after: int, upto: int) -> list[tuple[int, int]]:
        """None."""
        return []

    def recorded_in(self, event: int) -> None:
        """None: nothing is recorded."""

    def redactions(self) -> Redactions:
        """None."""
        return Redactions(())

    def state_after_turn(self, turn: int, *, going_on: bool = True) -> State:
        """Raises LookupError."""
        return no_past(0)


class GrowingHistory:
    """A past with newer, unsaved events on top.

    state: the one before the first of them. The last requested state of the past is kept.
    """

    def __init__(self, before: History, state: State, events: Sequence[Event]) -> None:
        self._past = before
        self._state = state
        self._events = events
        self._found: tuple[int, State] | None = None

    def newest_first(self, upto: int | None = None) -> Iterator[tuple[int, Event]]:
        """The newer events, then those of the past."""
        base = self._state.event
        for index in range(len(self._events) - 1, -1, -1):
            if upto is None or base + index < upto:
                yield base + index + 1, self._events[index]
        stored = self._past.newest_first(None if upto is None else min(upto, base))
        yield from (item for item in stored if item[0] <= base)

    def state(self, event: int) -> State:
        """The state after an event of either part."""
        base = self._state
        if event < base.event:
            if self._found is None or self._found[0] != event:
                self._found = event, self._past.state(event)
            return self._found[1]
        return fold(base.copy(), self._events[: event - base.event], past(self._past, base))
