"""Slot events out of annotated states: the differences between one state and the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from turnlog.domain.events import SlotSet


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[SlotSet]:
    """What must be set and taken away to come from one state to the other, by name."""
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield SlotSet(name=name)
        elif name not in before or not same(before[name], after[name]):
            yield SlotSet(name=name, value=after[name])


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types: True is not 1, and 1 is not 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)
