"""Slot history: every change of a slot, whatever caused it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from turnlog.domain import events as e
from turnlog.domain.apply import fold
from turnlog.domain.conversation import Commit
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.projections.projection import View, numbered

_STATE = "state"

_CHANGING = (
    e.SlotSet, e.SlotsDeclared, e.SlotsReset, e.SessionStarted, e.ActionReverted,
    e.UserUtteranceReverted, e.ConversationRestarted, e.HistoryReplaced,
)  # fmt: skip
"""The events that can change slots."""


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
            for entry in _changes(states[name], commit):
                view.put(name, numbered(entry["event"]), entry)
        for name, state in states.items():
            view.put(name, _STATE, binary.encode_state(state))


def changes(view: View, conversation: str, slot: str | None = None) -> Iterator[dict[str, Any]]:
    """A conversation's changes, oldest first; those of one slot only."""
    for key, entry in view.entries(conversation):
        if key != _STATE and (slot is None or slot in entry["slots"]):
            yield entry


def _state(view: View, commit: Commit) -> State:
    stored = None if commit.first_event == 1 else view.get(commit.conversation, _STATE)
    return State() if stored is None else binary.decode_state(stored)


def _changes(state: State, commit: Commit) -> Iterator[dict[str, Any]]:
    for event in commit.events:
        if not isinstance(event, _CHANGING):
            fold(state, (event,))
            continue
        before = state.slots
        fold(state, (event,))
        if changed := _compared(before, state.slots):
            yield {
                "event": state.event,
                "turn": state.turn,
                "type": type(event).__name__,
                "time": event.timestamp,
                "slots": changed,
            }


def _compared(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """The slots that differ, in order of name, with both values."""
    names = sorted(before.keys() | after.keys())
    pairs = {name: [before.get(name), after.get(name)] for name in names}
    return {name: pair for name, pair in pairs.items() if not binary.same(*pair)}
