"""On which branch of its conversation each event is, and in which turn of that branch (ADR 15)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.lineage import MAIN
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.state import State
from turnlog.domain.traits import Rewind

StateAt = Callable[[int], State]


def placed(
    events: Iterable[RecordedEvent], after: State, targets: Collection[int], at: StateAt
) -> Iterator[RecordedEvent]:
    """Events, oldest first, with their branch and the turn they have on it.

    after: the state before the first of them. targets: what they go back to. at: gives an earlier
    state.
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


def opens_turn(event: e.Event) -> bool:
    """Whether it is a user's message, of which the content may be gone."""
    kind = event.was if isinstance(event, e.EventErased) else type(event).__name__
    return kind == e.UserUttered.__name__


def _branch(event: e.Event) -> str | None:
    return event.branch if isinstance(event, e.HistoryContinued) else None
