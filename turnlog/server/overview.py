"""A whole conversation at a glance: the spans of its slots' values, and its rewinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from turnlog.domain.conversation import Conversation
from turnlog.domain.fold import Fold
from turnlog.domain.values import same
from turnlog.projections.history import StoredHistory

POINTS = 160
"""Moments of a long conversation that are sampled; of a shorter one every event is."""

SLOTS = 24
"""Slots that have spans, in order of appearance; the others are counted."""

Moment = tuple[int, dict[str, Any]]
"""The number of an event, and the slots after it."""


def overview(conversation: Conversation, past: StoredHistory) -> dict[str, Any]:
    """`{"last", "slots": [{"name", "spans": [[from, to], …]}], "more", "rewinds", "turns"}`.

    A span is a stretch of events over which a slot keeps one value, which the span does not name.
    Spans of a long conversation are as exact as its POINTS. past: where the conversation's rows are
    read. rewinds: the number of each, oldest first, and of the event it went back to. turns: the
    number of each turn's first event, and the seconds since the event before; empty for a long
    conversation.
    """
    last = conversation.state.event
    spans = _spans(_moments(conversation, past, _points(last)), last)
    listed = [{"name": name, "spans": found} for name, found in spans.items()]
    return {
        "last": last,
        "slots": listed[:SLOTS],
        "more": max(0, len(listed) - SLOTS),
        "rewinds": past.rewinds(0, last),
        "turns": [*_turns(conversation)] if last <= POINTS else [],
    }


def _turns(conversation: Conversation) -> Iterator[tuple[int, float]]:
    turn, before = 0, None
    for recorded in conversation.recorded():
        time = recorded.event.timestamp
        if recorded.turn != turn:
            pause = 0.0 if time is None or before is None else time - before
            yield recorded.number, max(0.0, pause)
        turn, before = recorded.turn, before if time is None else time


def _points(last: int) -> list[int]:
    step = max(1, -(-last // POINTS))
    return sorted({*range(step, last + 1, step), last} - {0})


def _moments(
    conversation: Conversation, past: StoredHistory, points: list[int]
) -> Iterable[Moment]:
    """The slots at the points. A long conversation is read at its snapshots near them."""
    if conversation.state.redacted or conversation.state.event <= POINTS:
        return _folded(conversation, points)
    snapshots = filter(None, map(past.before, points))
    near = sorted({snapshot.event for snapshot in snapshots} | {points[-1]})
    return ((number, conversation.at(number).slots) for number in near)


def _folded(conversation: Conversation, points: list[int]) -> Iterator[Moment]:
    folded, events = Fold(conversation.events), conversation.events()
    for point in points:
        folded.take(islice(events, point - folded.state.event))
        yield point, folded.state.slots


def _spans(moments: Iterable[Moment], last: int) -> dict[str, list[list[int]]]:
    """For each slot, in order of appearance: the first and last event of each value."""
    found: dict[str, list[list[int]]] = {}
    before: dict[str, Any] = {}
    for number, slots in moments:
        for name in before.keys() - slots.keys():
            found[name][-1][1] = number - 1
        for name, value in slots.items():
            if name in before and same(before[name], value):
                continue
            if name in before:
                found[name][-1][1] = number - 1
            found.setdefault(name, []).append([number, last])
        before = slots
    return found
