"""Slot history: every change of a slot, whatever caused it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from turnlog.domain.commit import Commit
from turnlog.domain.recorded import TracedEvent, trace
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.projections.view import View, numbered, reading

_STATE = "state"


class SlotHistoryProjection:
    """An entry for each event that changed slots, keyed by its number, beside the folded state.

    `{"event", "turn", "type", "time", "slots": {name: [before, after]}}`; None for no value.
    """

    name: ClassVar[str] = "slots"

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        states: dict[str, State] = {}
        for commit in commits:
            name = commit.conversation
            if name not in states:
                states[name] = _state(view, commit)
            for traced in trace(commit.recorded_events(), states[name]):
                if traced.slots:
                    view.put(name, numbered(traced.number), _entry(traced))
        for name, state in states.items():
            view.put(name, _STATE, binary.encode_state(state))


def changes(view: View, conversation: str, slot: str | None = None) -> Iterator[dict[str, Any]]:
    """A conversation's changes, oldest first; those of one slot only."""
    with reading(SlotHistoryProjection.name):
        for key, entry in view.entries(conversation):
            if key != _STATE and (slot is None or slot in entry["slots"]):
                yield entry


def _state(view: View, commit: Commit) -> State:
    stored = None if commit.first_event == 1 else view.get(commit.conversation, _STATE)
    return State() if stored is None else binary.decode_state(stored)


def _entry(traced: TracedEvent) -> dict[str, Any]:
    return {
        "event": traced.number,
        "turn": traced.turn,
        "type": type(traced.event).__name__,
        "time": traced.event.timestamp,
        "slots": {name: list(change) for name, change in traced.slots.items()},
    }
