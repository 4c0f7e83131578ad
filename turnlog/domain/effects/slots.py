"""Which event gave each slot its value, noted whenever a slot changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from turnlog.domain.state import State
from turnlog.domain.values import same


def note(state: State, name: str) -> None:
    """The newest event gave a slot its value or removed it."""
    state.context.since[name] = state.event
    note_touched(state, (name,))


def note_touched(state: State, names: Iterable[str]) -> None:
    """The newest event was about these slots, whatever their values."""
    for name in names:
        _, went_back = state.touched.get(name, (0, 0))
        state.touched[name] = state.event, went_back


def note_going_back(state: State, to: int) -> None:
    """The newest event returns to another: changes to slots in between no longer count."""
    for name, numbers in state.touched.items():
        if max(numbers) > to:
            state.touched[name] = numbers[0], state.event


def give(state: State, slots: dict[str, Any]) -> dict[str, int]:
    """`since` after the newest event gave all slots other values."""
    held = state.context.slots
    note_touched(state, [*state.touched, *slots])
    changed = [n for n in {**held, **slots} if not same(held.get(n), slots.get(n))]
    return {**state.context.since, **dict.fromkeys(changed, state.event)}
