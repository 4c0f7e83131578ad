"""Slot events from annotated states: the differences between one state and the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from turnlog.domain.events import SlotSet
from turnlog.domain.values import same


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[SlotSet]:
    """The values to set and the names to clear to get from one state to the other."""
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield SlotSet(name=name)
        elif name not in before or not same(before[name], after[name]):
            yield SlotSet(name=name, value=after[name])
