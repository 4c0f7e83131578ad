"""Each event's branch in its conversation, and its turn on that branch (ADR 15)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.apply import REWINDS
from turnlog.domain.lineage import MAIN
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.rewinds import rewinds_in
from turnlog.domain.state import State
from turnlog.domain.traits import Rewind, opens_turn

StateAt = Callable[[int], State]


def placed(
    events: Iterable[RecordedEvent], after: State, targets: Collection[int], at: StateAt
) -> Iterator[RecordedEvent]:
    """Events, oldest first, with their branch and their turn on it.

    after: the state before the first of them. targets: the events they return to. at: supplies an
    earlier state.
    """
    branch, turn = after.lineage.branch or MAIN, after.context.turn
    turns: dict[int, int] = {after.event: turn}
    for recorded in events:
        event, number = recorded.event, recorded.number
        if isinstance(event, Rewind) and (to := event.to) is not None:
            turn = turns[to] if to in turns else at(to).context.turn
            branch = _branch(event) or branch
        turn += opens_turn(event)
        if number in targets:
            turns[number] = turn
        yield replace(recorded, branch=branch, branch_turn=turn)


def whole_placed(events: Sequence[RecordedEvent]) -> Sequence[RecordedEvent]:
    """The same for all events from the first on; unchanged if there are no branches."""
    if all(_branch(recorded.event) is None for recorded in events):
        return events
    targets = {to for _, to in rewinds_in((r.number, r.event) for r in events)}
    return [*placed(events, State(), targets, lambda _: State())]


def placed_back(
    events: Iterable[RecordedEvent], newest: State, at: StateAt
) -> Iterator[RecordedEvent]:
    """The same, newest first; newest: the state after the first of them."""
    branch, turn = newest.lineage.branch or MAIN, newest.context.turn
    for recorded in events:
        event = recorded.event
        yield replace(recorded, branch=branch, branch_turn=turn)
        turn -= opens_turn(event)
        if isinstance(event, Rewind) and event.to is not None:
            before = at(recorded.number - 1)
            branch, turn = before.lineage.branch or MAIN, before.context.turn


NEAR = 32
"""How many events are read rather than skipped."""


def path_back(
    read: Callable[[int, int | None], Iterator[RecordedEvent]], newest: State, at: StateAt
) -> Iterator[RecordedEvent]:
    """The events that lead to a state, newest first, with their branch and their turn on it.

    Abandoned events are included, marked as retracted, if they are near or may have changed what a
    message says; otherwise they are skipped. read: returns the events up to a number, and receives
    how many are likely to be needed.
    """
    walk, upto = _WalkBack(newest, at), newest.event
    since = upto - newest.lineage.since + 1
    expected = since if since < NEAR else None
    while upto:
        for recorded in read(upto, expected):
            yield walk.placed(recorded)
            upto = walk.before(recorded)
            if upto < recorded.number - 1:
                expected = None
                break


class _WalkBack:
    """The progress of a walk from the newest event back to the first."""

    def __init__(self, newest: State, at: StateAt) -> None:
        self._at = at
        self._branch = newest.lineage.branch
        self._turn = newest.context.turn
        self._rewritten = newest.rewritten
        self._by, self._to = 0, newest.event
        self._leads = newest.event

    def placed(self, recorded: RecordedEvent) -> RecordedEvent:
        by = None if recorded.number <= self._to else self._by
        if self._branch is None:
            return recorded if by is None else replace(recorded, taken_back=by)
        return replace(recorded, taken_back=by, branch=self._branch, branch_turn=self._turn)

    def before(self, recorded: RecordedEvent) -> int:
        """The number of the event that precedes this one on the path."""
        number, event = recorded.number, recorded.event
        counts = number <= self._to
        self._turn -= counts and opens_turn(event)
        if type(event) not in REWINDS or (to := event.to) is None:  # type: ignore[attr-defined]
            return number - 1
        if counts:
            self._by, self._to = number, to
        if not isinstance(event, e.HistoryContinued):
            return number - 1
        if number <= self._leads and self._branch is not None:
            self._leave(event)
        is_far = to < number - NEAR and self._rewritten <= to
        return to if counts and is_far else number - 1

    def _leave(self, event: e.HistoryContinued) -> None:
        """Find the branch it continued from, or the branch of what it was rewound to."""
        if event.to < self._to:
            self._branch, self._leads = self._at(self._to).lineage.branch or MAIN, self._to
        else:
            self._branch, self._leads = event.from_branch or self._branch, event.to


def _branch(event: e.Event) -> str | None:
    return event.branch if isinstance(event, e.HistoryContinued) else None
