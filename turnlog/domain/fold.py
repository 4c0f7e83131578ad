"""The fold: live state, time travel, rebuild, export and audit all use it.

A rewind names the event that it returns to. The caller of the fold supplies the context there: from
the folded events, or from the past before them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import NoReturn

from turnlog.domain.apply import REWINDS, REWRITES, advance, beginning, go_back, go_on
from turnlog.domain.context import Context
from turnlog.domain.effects.messages import rewrite
from turnlog.domain.events import Event
from turnlog.domain.rewinds import counting
from turnlog.domain.state import State, copy_context
from turnlog.domain.traits import Rewind, Rewrite

At = Callable[[int], Context]
"""Returns the context after a past event, with later edits of it."""


def no_past(number: int) -> NoReturn:
    """Raise LookupError: the caller of the fold supplied no past."""
    raise LookupError(f"the fold returns to event {number}, which precedes it: pass `at`")


def apply(state: State, event: Event, at: At = no_past) -> State:
    """The state after one more event; the given state does not change."""
    return fold(state.copy(), (event,), at)


def replay(events: Iterable[Event]) -> State:
    """The state after all events of a conversation, oldest first."""
    every = events if isinstance(events, list | tuple) else list(events)
    return Fold(lambda: every).take(every)


def fold(state: State, events: Iterable[Event], at: At = no_past) -> State:
    """Write the effects of events, oldest first, into a state that no one else uses.

    at: supplies the contexts before the first of them. Raises LookupError if a rewind needs one and
    `at` is not given.
    """
    every = events if isinstance(events, list | tuple) else list(events)
    if REWINDS.isdisjoint(map(type, every)):
        advance(state, iter(every))
        return state
    notes = _Notes(every, state.event, at)
    notes.keep_counting()
    return notes.fold(state, iter(every))


class Fold:
    """Folds a conversation piece by piece, and yields the state after each.

    again: returns all of its events from the first on, including those not yet folded. It is called
    at the first rewind; the contexts that later rewinds return to are kept from then on, as long as
    they are needed. state: the one before the first piece, by default the initial one; it is
    changed. at: if given, `again` begins after that state.
    """

    def __init__(
        self, again: Callable[[], Iterable[Event]], state: State | None = None, at: At | None = None
    ) -> None:
        self.state = State() if state is None else state
        self._again = again
        self._first = State() if at is None else self.state.copy()
        self._at = at or no_past
        self._notes = _Notes((), 0, no_past)

    def take(self, events: Iterable[Event]) -> State:
        """The state after the next events; the following call changes it."""
        state, rest = self.state, iter(events)
        while True:
            if (noted := self._notes.last - state.event) > 0:
                self._notes.fold(state, islice(rest, noted))
            if (rewind := advance(state, rest)) is None:
                return state
            self._look_back()
            self._notes.go_back(state, rewind)

    def _look_back(self) -> None:
        """Collect what rewinds return to, from all events so far."""
        first, taken = self._first, self.state.event - self._first.event
        notes = _Notes(self._again(), first.event, self._at)
        if notes.last < self.state.event:
            raise LookupError(f"event {self.state.event} is not among those that `again` returned")
        notes.fold(first.copy(), islice(self._again(), taken - 1))
        self._notes = notes


class _Notes:
    """The contexts that some events return to, each kept until its last use.

    base: the number before the first of the events. last: the number of the last.
    """

    def __init__(self, events: Iterable[Event], base: int, at: At) -> None:
        self.last = base
        self._at = at
        self._first = max(1, base)
        self._kept: dict[int, Context] = {}
        self._rewrites: list[tuple[int, Rewrite]] = []
        to: dict[int, int] = {}
        for self.last, event in enumerate(events, base + 1):
            if type(event) in REWINDS and event.to is not None and event.to < self.last:  # type: ignore[attr-defined]
                to[self.last] = event.to  # type: ignore[attr-defined]
            elif type(event) in REWRITES:
                self._rewrites.append((self.last, event))  # type: ignore[arg-type]
        self._plan(to)

    def _plan(self, to: dict[int, int]) -> None:
        """to: where each rewind returns to, by its number."""
        self._to = to
        self._last_use = {to[number]: number for number in sorted(to)}
        self._due = sorted((n for n in self._last_use if n >= self._first), reverse=True)

    def keep_counting(self) -> None:
        """Forget retracted rewinds: then at most one context is kept."""
        self._plan(dict(counting([*self._to.items()])))

    def fold(self, state: State, events: Iterator[Event]) -> State:
        """Fold these events, and keep the needed contexts."""
        while True:
            due = self._due[-1] if self._due else None
            part = events if due is None else islice(events, due - state.event)
            if (rewind := advance(state, part)) is not None:
                self.go_back(state, rewind)
            elif due is not None and state.event == due:
                self._kept[self._due.pop()] = copy_context(state.context)
            else:
                return state

    def go_back(self, state: State, rewind: Rewind) -> None:
        """Put in force what a rewind, the newest event of the state, returns to.

        An unresolved rewind has no effect, nor has a retracted one that was forgotten.
        """
        go_on(state, rewind)
        if (to := self._to.get(state.event)) is not None:
            go_back(state, rewind, self._context(state, to))

    def _context(self, state: State, to: int) -> Context:
        if to == 0:
            return beginning(state)
        if self._last_use[to] == state.event and to in self._kept:
            context = self._kept.pop(to)
        else:
            context = copy_context(self._kept[to] if to >= self._first else self._at(to))
        since = bisect_right(self._rewrites, to, key=itemgetter(0))
        upto = bisect_right(self._rewrites, state.event, key=itemgetter(0))
        for _, event in self._rewrites[since:upto]:
            rewrite(context, event)
        return context
