"""A conversation as a protocol: every event with its turn, version, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from turnlog.domain import events as e
from turnlog.domain.apply import fold
from turnlog.domain.conversation import Commit
from turnlog.domain.redactions import redacted, without_words
from turnlog.domain.rewinds import taken_back
from turnlog.domain.state import State
from turnlog.encoding.binary import same
from turnlog.serializers.plain import to_plain

Change = tuple[Any, Any]
"""A slot's value before and after; None for no value."""


class Line(msgspec.Struct, frozen=True):
    """version: the commit's. slots: what the event changed. taken_back: by which event, if any.

    redacted: whether the message it is, or is about, is hidden: its words are in no field then.
    """

    number: int
    turn: int
    version: int
    event: e.Event
    slots: Mapping[str, Change] = {}
    taken_back: int | None = None
    redacted: bool = False


def protocol(commits: Iterable[Commit]) -> list[Line]:
    """The lines of a conversation, oldest first; commits: all of it."""
    read = list(commits)
    every = [event for commit in read for event in commit.events]
    taken, hidden = taken_back(every), redacted(every)
    state, lines = State(), list[Line]()
    for commit in read:
        for event in commit.events:
            before = state.slots
            fold(state, (event,))
            changes = changed(before, state.slots)
            number = state.event
            shown = without_words(event) if number in hidden else event
            lines.append(
                Line(
                    number,
                    state.turn,
                    commit.version,
                    shown,
                    changes,
                    taken.get(number),
                    number in hidden,
                )
            )
    return lines


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    """The slots that differ, in order of name."""
    names = sorted(before.keys() | after.keys())
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if not same(*pair)}


_SHARED = frozenset(e.Event.__struct_fields__) | {"type"}


def details(event: e.Event) -> dict[str, Any]:
    """What an event says beyond its type and what every event can carry, as plain values.

    Of a context that it restores only the slots.
    """
    fields = {key: value for key, value in to_plain(event).items() if key not in _SHARED}
    if not isinstance(event, e.SlotsReset) and "restored" in fields:
        fields["restored"] = (fields["restored"] or {}).get("slots", {})
    if event.extra:
        fields["extra"] = event.extra
    return fields
