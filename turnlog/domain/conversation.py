"""Conversation: the aggregate at a moment, over its stored past."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from turnlog.domain.arguments import check_count, check_number, check_whole
from turnlog.domain.branches import path_back, placed, placed_back
from turnlog.domain.commit import Commit
from turnlog.domain.decide import decide
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.errors import ConversationError
from turnlog.domain.events import Event
from turnlog.domain.fold import Fold, fold, replay
from turnlog.domain.gaps import Gaps, gaps
from turnlog.domain.history import GrowingHistory, History, past
from turnlog.domain.lineage import MAIN
from turnlog.domain.messages import Message
from turnlog.domain.notebook import as_html
from turnlog.domain.recorded import RecordedEvent, shown
from turnlog.domain.redactions import Redactions
from turnlog.domain.rewinds import rewinds_in, taken_by
from turnlog.domain.said import last_said, said
from turnlog.domain.state import State
from turnlog.domain.traits import Hiding, Rewind, opens_turn


class Past(History, Protocol):
    """A conversation's stored events, as they were recorded."""

    def events(self, after: int = 0, upto: int | None = None) -> Iterator[Event]:
        """Those numbered after `after` up to and including `upto`, oldest first."""
        ...

    def recorded(self, after: int = 0) -> Iterator[RecordedEvent]:
        """Those numbered above `after`, oldest first."""
        ...

    def recorded_newest_first(
        self, upto: int | None = None, expected: int | None = None
    ) -> Iterator[RecordedEvent]:
        """Those numbered up to and including `upto`, or all, from the last to the first.

        expected: how many are likely to be read.
        """
        ...

    def rewinds(self, after: int, upto: int) -> list[tuple[int, int]]:
        """The number of each rewind after `after` up to and including `upto`, oldest first, and of
        the event it returned to.
        """
        ...

    def recorded_in(self, event: int) -> tuple[str, int] | None:
        """The conversation and the life in which an event was, or would be, recorded; for the
        shared past of a fork, its origin's. None if nothing is stored.
        """
        ...

    def redactions(self) -> Redactions:
        """What the redactions of the whole conversation hide."""
        ...

    def state_after_turn(self, turn: int, *, going_on: bool = True) -> State:
        """The state after the last event of a turn; going_on: False for the last one before the
        conversation continued from elsewhere.
        """
        ...


class Conversation:
    """One conversation at a moment: its state, and access to its recorded events.

    Redacted words are hidden in everything it shows. `stage` decides and keeps the commit pending;
    an application saves it.
    """

    def __init__(
        self,
        id: str,
        state: State,
        past: Past,
        version: int = 0,
        redactions: Redactions | None = None,
        *,
        is_newest: bool = True,
    ) -> None:
        self._id = id
        self._state = state
        self._past = past
        self._version = version
        self._redactions = redactions
        self._is_newest = is_newest
        self._shown_state: State | None = None
        self._pending: list[Commit] = []
        self._pending_so_far: list[Event] = []
        self._before_pending = state

    def __repr__(self) -> str:
        return f"Conversation({self.id!r}, turn={self.turn}, event={self._state.event})"

    def _repr_html_(self) -> str:
        return as_html(self.recorded())

    @property
    def id(self) -> str:
        """The conversation's id."""
        return self._id

    @property
    def version(self) -> int:
        """The number of its commits, including pending ones."""
        return self._version

    @property
    def state(self) -> State:
        """The state at this moment, without redacted values."""
        if self._redactions is None:
            return self._state
        if self._shown_state is None:
            stored = self._redactions.state(self._stored_events)
            self._shown_state = replay(self.events()) if self._pending else stored
        return self._shown_state

    @property
    def slots(self) -> dict[str, Any]:
        """The slots that have a value."""
        return self.state.slots

    @property
    def turn(self) -> int:
        """The number of the current turn."""
        return self._state.turn

    def events(self, after: int = 0) -> Iterator[Event]:
        """All events up to this moment, oldest first, or only those numbered above `after`."""
        check_whole(self._id, "event", after)
        after, stored = max(after, 0), self._stored_events
        past = self._past.events(after, stored) if after < stored else iter(())
        pending = (event for number, event in self._pending_events() if number > after)
        every = itertools.chain(past, pending)
        if self._redactions is None:
            return every
        return itertools.starmap(self._redactions.shown, enumerate(every, after + 1))

    def _pending_events(self) -> Iterator[tuple[int, Event]]:
        return itertools.chain.from_iterable(commit.numbered() for commit in self._pending)

    def recorded(self, after: int = 0) -> Iterator[RecordedEvent]:
        """The same events in their envelopes: numbers, times, and what retracted them."""
        check_whole(self._id, "event", after)
        after = min(max(after, 0), self._state.event)
        stored = self._past.rewinds(after, self._stored_events)
        rewinds = [*stored, *rewinds_in(self._pending_events())]
        events = self._recorded(after)
        if self._state.lineage.branch is not None:
            at = self._history().state
            before = at(min(after, self._state.event))
            events = placed(events, before, {to for _, to in rewinds}, at)
        return shown(events, taken_by(rewinds), self._redactions)

    def newest_first(self, *, at_once: bool = False) -> Iterator[RecordedEvent]:
        """The same, from the last to the first. at_once: in one query, not in batches."""
        last = self._state.event
        events = self._newest_first(last, last if at_once else None)
        if self._state.lineage.branch is not None:
            events = placed_back(events, self._state, self._history().state)
        rewind: tuple[int, int] | None = None
        for recorded in events:
            number, event = recorded.number, recorded.event
            taken_back: dict[int, int] = {}
            if rewind is not None and number > rewind[1]:
                taken_back[number] = rewind[0]
            elif isinstance(event, Rewind) and event.to is not None:
                rewind = number, event.to
            yield from shown((recorded,), taken_back, self._redactions)

    @property
    def branches(self) -> dict[str, int]:
        """The number of the last event of each branch; the first branch is `main`."""
        return self._state.lineage.branches(self._state.event)

    @property
    def branch(self) -> str:
        """The current branch."""
        return self._state.lineage.branch or MAIN

    def event(self, number: int) -> Event | None:
        """The event with that number, or None."""
        check_whole(self._id, "event", number)
        return next(self.events(number - 1)) if 1 <= number <= self._state.event else None

    def recorded_in(self, number: int) -> tuple[str, int]:
        """The conversation and the life in which the event with that number was recorded; for the
        shared past of a fork, its origin's.
        """
        return self._past.recorded_in(number) or (self._id, 1)

    def hides(self, number: int) -> bool:
        """Whether the words of the event with that number are redacted."""
        return self._redactions is not None and number in self._redactions

    def as_shown(self, number: int, event: Event) -> Event:
        """An event as views would show it in place of the event with that number."""
        return event if self._redactions is None else self._redactions.shown(number, event)

    def gaps(self, events: Sequence[Event] | None = None) -> Gaps:
        """What of it is hidden or erased, so that it cannot be repeated as it was.

        events: everything it shows, if already read.
        """
        shown = list(self.events()) if events is None else events
        if self._redactions is None:
            return gaps(shown, shown)
        stored = self._past.events(0, self._stored_events)
        return gaps(itertools.chain(stored, (e for _, e in self._pending_events())), shown)

    def at(self, event: int) -> Conversation:
        """The same conversation after the event with that number; 0 is before the first.

        Raises OutOfRange for an unknown event.
        """
        check_number(self._id, "event", event)
        return self.earlier(self._past.state(event))

    def earlier(self, state: State) -> Conversation:
        """The same conversation at the moment of that state."""
        return Conversation(self._id, state, self._past, self._version, self._redactions)

    def _recorded(self, after: int) -> Iterator[RecordedEvent]:
        stored = self._stored_events
        for recorded in self._past.recorded(after) if after < stored else ():
            if recorded.number > stored:
                break
            yield recorded
        for commit in self._pending:
            yield from (r for r in commit.recorded_events() if r.number > after)

    def _newest_first(self, upto: int, expected: int | None = None) -> Iterator[RecordedEvent]:
        for commit in reversed(self._pending):
            yield from commit.recorded_newest_first(upto)
        yield from self._past.recorded_newest_first(min(upto, self._stored_events), expected)

    def messages(self, *, for_model: bool = False) -> Iterator[Message]:
        """The messages that count, oldest first: as edited, without retracted, failed or redacted
        ones.

        for_model: as a model may read them: a call without a result gets one that says so, and the
        text of a compaction replaces the messages that it summarises.
        """
        return said(list(self.recorded()), for_model=for_model)

    def last(self, count: int, *, for_model: bool = False) -> list[Message]:
        """The last messages that count, at most this many, oldest first.

        for_model: those that a model may read, without results whose call is not among them. Reads
        from the end, so the length of the conversation does not matter.
        """
        check_whole(self._id, "count", count)
        check_count(self._id, "count", count)
        events = path_back(self._newest_first, self._state, self._history().state)
        return last_said(shown(events, {}, self._redactions), count, for_model=for_model)

    def dialogue(self, turns: int | None = None) -> Dialogue:
        """The conversation's events, or those of its last `turns` turns, read from the end."""
        check_count(self._id, "turns", turns)
        if turns is None or turns >= self.turn:
            whole = Dialogue(self._id, tuple(self.events()))
            return whole if turns is None else whole.last(turns)
        gathered: list[RecordedEvent] = []
        for recorded in self._newest_first(self._state.event) if turns > 0 else ():
            if recorded.turn <= self.turn - turns:
                break
            gathered.append(recorded)
        events = tuple(recorded.event for recorded in reversed(gathered))
        return Dialogue(self._id, events, self._state.event - len(events) + 1, self.turn - turns)

    def states(self) -> Iterator[State]:
        """The state after each turn, in order; after turn 0 only if it has events."""
        folded = Fold(self.events)
        for event in self.events():
            if opens_turn(event) and folded.state.event:
                yield folded.state.copy()
            folded.take((event,))
        if folded.state.event:
            yield folded.state

    def stage(
        self, *asked: Event, recorded: float, now: float | None = None, key: str | None = None
    ) -> Commit:
        """Decide, apply, and keep the commit pending until an application saves it."""
        before = self._state
        if not self._pending:
            self._before_pending = before
        history = self._history()
        events, self._state = decide(self._id, before, asked, history=history, now=now)
        self._version += 1
        commit = Commit(
            self._id, self._version, before.event + 1, before.turn, recorded, tuple(events), key
        )
        self._pending.append(commit)
        self._pending_so_far += events
        self._hide(commit)
        return commit

    def _history(self) -> History:
        """The past up to this moment, including pending events."""
        stored = self._before_pending if self._pending else self._state
        return GrowingHistory(self._past, stored, self._pending_so_far)

    def _hide(self, commit: Commit) -> None:
        """Learn what later events hide. What is staged at an earlier moment changes nothing: later
        events say what is hidden there.
        """
        self._shown_state = None
        if self._redactions is not None:
            if self._redactions.last < commit.first_event:
                self._redactions = self._redactions.followed_by(commit.numbered())
        elif any(isinstance(event, Hiding) for event in commit.events):
            stored = enumerate(self._past.events(0, self._stored_events), 1)
            self._redactions = Redactions(itertools.chain(stored, self._pending_events()))

    def collect_events(self) -> Sequence[Commit]:
        """The pending commits, to be saved. Raises ConversationError at an earlier moment."""
        if self._pending and not self._is_newest:
            raise ConversationError(self._id, "is seen at an earlier moment, which cannot be saved")
        collected, self._pending, self._pending_so_far = self._pending, [], []
        return collected

    def mutate(self, commit: Commit) -> None:
        """Fold a stored commit in."""
        at = past(self._past, self._state)
        self._state = fold(self._state.copy(), commit.events, at)
        self._version = commit.version
        self._hide(commit)

    @property
    def _stored_events(self) -> int:
        return self._pending[0].first_event - 1 if self._pending else self._state.event
