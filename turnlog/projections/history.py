"""A stored conversation's past, read from snapshots and rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import get_args

from msgspec.structs import replace

from turnlog.domain.commit import Commit
from turnlog.domain.events import Event, HistoryContinued
from turnlog.domain.fold import Fold, fold
from turnlog.domain.history import past
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.redactions import Redactions
from turnlog.domain.rewinds import rewinds_in
from turnlog.domain.state import State
from turnlog.domain.traits import Rewind, opens_turn
from turnlog.encoding import binary
from turnlog.encoding.apart import BARE, Contents
from turnlog.encoding.rows import TAGS, decode_commit, decode_events, holds, is_commit
from turnlog.errors import Corrupt, OutOfRange, StorageError
from turnlog.projections.stream_rows import StreamRows
from turnlog.storage.rows import Body, Row, Snapshot

_REWINDS = frozenset(TAGS[kind] for kind in get_args(Rewind))


class StoredHistory:
    """A history that reads as little as possible: the state at an event costs a snapshot and a
    tail.

    rows: of one life.
    """

    def __init__(self, rows: StreamRows) -> None:
        self._rows = rows
        self._conversation = rows.conversation

    def commits(self, upto: int | None = None) -> Iterator[Commit]:
        """All commits, oldest first; of the stream's own, those up to version `upto`."""
        return self._commits(None, upto)

    def _commits(self, begin: Snapshot | None, upto: int | None = None) -> Iterator[Commit]:
        for rows, stored in self._rows.bodies(begin):
            for body in stored:
                if upto is not None and rows is self._rows and body[1] > upto:
                    return
                if is_commit(body[2]):
                    yield self._commit(rows, Body._make(body))

    def _commit(self, rows: StreamRows, body: Body | Row) -> Commit:
        """A commit as one of this conversation; one of the origin is cut and loses its key."""
        commit = decode_commit(
            self._conversation, body.version, body.topic, body.skeleton, body.commitments,
            body.parts, body.position, self._rows.life, self._rows.contents,
        )  # fmt: skip
        if rows.upto is None:
            return commit
        events = _cut(commit.first_event, commit.events, rows.upto)
        return replace(commit, events=events, key=None)

    def groups(
        self,
        begin: Snapshot | None = None,
        holding: Collection[int] = (),
        *,
        contents: Contents = BARE,
    ) -> Iterator[tuple[int, tuple[Event, ...]]]:
        """The events of each commit after a snapshot, and the number of the first, in order.

        holding: tags of events; commits whose clear part has none of them are skipped. contents:
        reads what is stored apart from the rows; a fold does not need it.
        """
        for rows, stored in self._rows.bodies(begin):
            for _, version, topic, _, skeleton, commitments, parts in stored:
                if is_commit(topic):
                    try:
                        if not holding or holds(topic, skeleton, holding):
                            first, events = decode_events(
                                topic, skeleton, commitments, parts, contents
                            )
                            yield first, _cut(first, events, rows.upto)
                    except StorageError as error:
                        where = f"conversation {self._conversation!r}, version {version}"
                        raise type(error)(f"{where}: {error}") from error

    def rewinds(self, after: int, upto: int) -> list[tuple[int, int]]:
        """The rewinds between two events, each with the event that it goes back to."""
        found: list[tuple[int, int]] = []
        for first, events in self.groups(self.before(after), _REWINDS):
            found += rewinds_in(enumerate(events, first))
        return [rewind for rewind in found if after < rewind[0] <= upto]

    def events(
        self, after: int = 0, upto: int | None = None, *, contents: Contents | None = None
    ) -> Iterator[Event]:
        """The events above `after`, oldest first. contents: None to read what is stored apart."""
        contents = contents or self._rows.contents
        for first, events in self.groups(self.before(after), contents=contents):
            if upto is not None and first > upto:
                return
            skip = max(0, after - first + 1)
            last = len(events) if upto is None else upto - first + 1
            yield from events[skip:last]

    def recorded(self, after: int = 0) -> Iterator[RecordedEvent]:
        """The events above `after` in their envelopes, oldest first, as recorded."""
        for commit in self._commits(self.before(after)):
            if commit.last_event > after:
                yield from (r for r in commit.recorded_events() if r.number > after)

    def recorded_in(self, event: int) -> tuple[str, int]:
        """The conversation and the life in which an event was recorded: the origin's in a fork."""
        rows = self._rows.with_event(event)
        return rows.conversation, rows.life

    def before(self, event: int) -> Snapshot | None:
        """The newest known snapshot up to an event."""
        return self._rows.snapshot(event=event) if event else None

    def holding(self, event: int) -> Row:
        """The row that contains an event, which may be the origin's. Raises OutOfRange."""
        row = self._rows.holding(event)
        if row is None:
            raise OutOfRange(self._conversation, f"event {event} does not exist")
        return row

    def redactions(self) -> Redactions:
        """What the redactions of the whole conversation hide."""
        return self._rows.redactions(self.events)

    def newest_first(self, upto: int | None = None) -> Iterator[tuple[int, Event]]:
        """The events with their numbers, newest first, from `upto` on."""
        for commit in self._commits_newest_first(upto):
            last = len(commit.events) if upto is None else upto - commit.first_event + 1
            for offset in range(min(last, len(commit.events)) - 1, -1, -1):
                yield commit.first_event + offset, commit.events[offset]

    def recorded_newest_first(
        self, upto: int | None = None, expected: int | None = None
    ) -> Iterator[RecordedEvent]:
        """The events in their envelopes, newest first, from `upto` on.

        expected: how many are likely to be read.
        """
        for commit in self._commits_newest_first(upto, expected):
            yield from commit.recorded_newest_first(upto)

    def _commits_newest_first(
        self, upto: int | None = None, expected: int | None = None
    ) -> Iterator[Commit]:
        found = self._rows.newest_first(upto, expected)
        return (self._commit(rows, row) for rows, row in found)

    def replay(self) -> State:
        """The state after all stored events, from the rows alone."""
        return Fold(self._tail).take(self._tail())

    def _tail(self, begin: Snapshot | None = None) -> Iterator[Event]:
        """The events after a snapshot, oldest first."""
        return chain.from_iterable(events for _, events in self.groups(begin))

    def state(self, event: int) -> State:
        """The state after an event; after 0 the initial one. Raises OutOfRange."""
        if event < 0:
            raise self._no_event(event, self.replay().event)
        begin = self._rows.snapshot(event=event)
        state = self._start(begin)
        state = self._folded(state, islice(self._tail(begin), event - state.event))
        if state.event < event:
            raise self._no_event(event, state.event)
        return state

    def _no_event(self, event: int, last: int) -> OutOfRange:
        return OutOfRange(self._conversation, f"event {event} does not exist; the last is {last}")

    def state_at_version(self, version: int) -> State:
        """The state after the last event of a commit. Raises OutOfRange."""
        row = self._rows.row(version) if version > 0 else None
        if row is None:
            why = f"version {version} does not exist; the last is {self._rows.last_version()}"
            raise OutOfRange(self._conversation, why)
        return self.state(row.commit(BARE).last_event)

    def state_after_turn(self, turn: int, *, going_on: bool = True) -> State:
        """The state after the last event of a turn. Raises OutOfRange.

        going_on: false for the state before the turn first continued from elsewhere.
        """
        begin = self._rows.snapshot(turn=turn if going_on else turn - 1)
        state = self._start(begin)
        tail = self._tail(begin) if going_on else _without_going_on(turn, state, self._tail(begin))
        state = self._folded(state, _upto_turn(turn - state.turn, tail))
        if state.turn != turn or state.event == 0:
            last = self.replay().turn
            raise OutOfRange(self._conversation, f"turn {turn} does not exist; the last is {last}")
        return state

    def _folded(self, state: State, events: Iterable[Event]) -> State:
        return fold(state, events, past(self, state))

    def state_at_time(self, time: float) -> State:
        """The state after the last event whose own timestamp is at most `time`, in UTC seconds.

        Raises OutOfRange.
        """
        reached, dated = 0, False
        for number, event in enumerate(self.events(), 1):
            if event.timestamp is not None:
                dated = True
                if event.timestamp <= time:
                    reached = number
        if not dated:
            raise OutOfRange(self._conversation, "its events have no timestamps")
        if not reached:
            raise OutOfRange(self._conversation, "all its events are later than that time")
        return self.state(reached)

    def _start(self, snapshot: Snapshot | None) -> State:
        if snapshot is None:
            return State()
        state = binary.decode_state(snapshot.state)
        if state.event != snapshot.event:
            why = (
                f"the snapshot after event {snapshot.event} contains the state after {state.event}"
            )
            raise Corrupt(f"conversation {self._conversation!r}: {why}")
        return state


def _upto_turn(turns: int, events: Iterable[Event]) -> Iterator[Event]:
    """Events up to the end of the turn that follows the first event's by `turns`."""
    for event in events:
        turns -= opens_turn(event)
        if turns < 0:
            return
        yield event


def _without_going_on(turn: int, state: State, events: Iterable[Event]) -> Iterator[Event]:
    """Events up to the point at which the conversation continues from elsewhere within a turn."""
    reached = state.turn
    for event in events:
        reached += opens_turn(event)
        if reached == turn and isinstance(event, HistoryContinued) and event.conversation is None:
            return
        yield event


def _cut(first: int, events: tuple[Event, ...], upto: int | None) -> tuple[Event, ...]:
    """The events up to a number. first: the number of the first one."""
    return events if upto is None else events[: max(0, upto - first + 1)]
