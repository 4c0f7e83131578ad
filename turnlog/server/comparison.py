"""Compares two moments of one conversation or of two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import count
from typing import Any

from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, HistoryContinued
from turnlog.domain.plain import dumps
from turnlog.domain.recorded import TracedEvent, changed
from turnlog.server.timeline import item, shortened
from turnlog.server.window import between

EVENTS = 24
"""Events of each side that are shown from the first difference on."""

_INCIDENTAL = ("timestamp", "message_id", "cause", "recorded")
"""Fields that may differ between events that say the same."""


def comparison(one: Conversation, other: Conversation) -> dict[str, Any]:
    """`{"shared", "slots", "rows", "more"}`. Both conversations are seen at their moments.

    shared: how many events both begin with. slots: those that differ, each with its two values.
    rows: pairs of items from there on, null where only one side has such an event. more: how many
    events of each side come after the rows.
    """
    shared = _shared(one, other)
    sides = [_from(each, shared + 1) for each in (one, other)]
    differing = changed(one.slots, other.slots)
    held = [shortened({n: pair[side] for n, pair in differing.items()}, {}) for side in (0, 1)]
    return {
        "shared": shared,
        "slots": {name: [each[name] for each in held] for name in differing},
        "rows": [*_rows(*sides)],
        "more": [max(0, each.state.event - shared - EVENTS) for each in (one, other)],
    }


def _shared(one: Conversation, other: Conversation) -> int:
    """How many events both begin with, up to the earlier moment."""
    last = min(one.state.event, other.state.event)
    if one.id == other.id:
        return last
    pairs = zip(count(1), one.events(), other.events(), strict=False)
    return next((n - 1 for n, mine, theirs in pairs if _essence(mine) != _essence(theirs)), last)


def _from(conversation: Conversation, first: int) -> list[TracedEvent]:
    last = min(conversation.state.event, first + EVENTS - 1)
    return [*between(conversation, first, last)]


def _rows(one: Sequence[TracedEvent], other: Sequence[TracedEvent]) -> Iterator[list[Any]]:
    if one and other and isinstance(one[0].event, HistoryContinued):  # a fork's first event
        yield [item(one[0]), None]
        one = one[1:]
    left, right = ([_essence(each.event) for each in side] for side in (one, other))
    alike = SequenceMatcher(None, left, right, autojunk=False)
    for _, start, end, other_start, other_end in alike.get_opcodes():
        length = max(end - start, other_end - other_start)
        for offset in range(length):
            mine = one[start + offset] if start + offset < end else None
            theirs = other[other_start + offset] if other_start + offset < other_end else None
            yield [None if each is None else item(each) for each in (mine, theirs)]


def _essence(event: Event) -> bytes:
    plain = {name: held for name, held in event.as_dict().items() if name not in _INCIDENTAL}
    return dumps(plain)
