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
    """A conversation's past, read only when something goes back to it."""

    def newest_first(self, upto: int | None = None) -> Iterator[tuple[int, Event]]:
        """Event numbers and events, from the last, or from the one of a number, to the first."""
        ...

    def state(self, event: int) -> State:
        """The state after the event of that number; after 0 it is the initial one."""
        ...


def past(history: History, state: State) -> At:
    """What a fold that goes on from a state can go back to.

    Reads the state there and, if messages were rewritten since, the events since.
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
"""Events that were taken back, from which on they are passed over rather than read."""


def leading(history: History) -> Iterator[tuple[int, Event]]:
    """What of the past was not taken back, newest first, without the events that take back."""
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
    """The past of a conversation that has none."""

    def events(self, after: int = 0, upto: int | None = None) -> Iterator[Event]:
        return iter(())

    def newest_first(self, upto: int | None = None) -> Iterator[tuple[int, Event]]:
        return iter(())

    def state(self, event: int) -> State:
        return no_past(event) if event else State()

    def recorded(self, after: int = 0) -> Iterator[RecordedEvent]:
        return iter(())

    def recorded_newest_first(
        self, upto: int | None = None, expected: int | None = None
    ) -> Iterator[RecordedEvent]:
        return iter(())

    def rewinds(self, after: int, upto: int) -> list[tuple[int, int]]:
        return []

    def recorded_in(self, event: int) -> None:
        return None

    def redactions(self) -> Redactions:
        return Redactions(())

    def state_after_turn(self, turn: int, *, going_on: bool = True) -> State:
        return no_past(0)


class GrowingHistory:
    """A past with newer events on top that are not stored yet.

    state: the one before the first of them. The last state of the past that was asked for is kept.
    """

    def __init__(self, before: History, state: State, events: Sequence[Event]) -> None:
        self._past = before
        self._state = state
        self._events = events
        self._found: tuple[int, State] | None = None

    def newest_first(self, upto: int | None = None) -> Iterator[tuple[int, Event]]:
        base = self._state.event
        for index in range(len(self._events) - 1, -1, -1):
            if upto is None or base + index < upto:
                yield base + index + 1, self._events[index]
        stored = self._past.newest_first(None if upto is None else min(upto, base))
        yield from (item for item in stored if item[0] <= base)

    def state(self, event: int) -> State:
        base = self._state
        if event < base.event:
            if self._found is None or self._found[0] != event:
                self._found = event, self._past.state(event)
            return self._found[1]
        return fold(base.copy(), self._events[: event - base.event], past(self._past, base))
