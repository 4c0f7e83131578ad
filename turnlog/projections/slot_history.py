"""The history of slots: every change, with the event that caused it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from turnlog.domain.commit import Commit
from turnlog.domain.events import Event
from turnlog.domain.fold import Fold
from turnlog.domain.recorded import TracedEvent, trace
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.projections.projection import shown_whole
from turnlog.projections.view import View, numbered, reading

_STATE = "state"


class SlotHistoryProjection:
    """An entry for each event that changed slots, by its number, and the folded state.

    `{"event", "turn", "type", "time", "slots": {name: [before, after]}}`; None for no value.
    """

    name: ClassVar[str] = "slots"

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """See `Projection.apply`."""
        last = {commit.conversation: commit for commit in commits}
        folds: dict[str, Fold] = {}
        for commit in commits:
            name = commit.conversation
            if name not in folds:
                folds[name] = Fold(partial(_events, view, last[name]), _state(view, commit))
            for traced in trace(commit.recorded_events(), folds[name]):
                if traced.slots:
                    view.put(name, numbered(traced.number), _entry(traced))
        for name, folded in folds.items():
            view.put(name, _STATE, binary.encode_state(folded.state))


def _events(view: View, last: Commit) -> Iterator[Event]:
    for commit in shown_whole(view.log, last.conversation, last.version, last.life):
        yield from commit.events


def changes(view: View, conversation: str, slot: str | None = None) -> Iterator[dict[str, Any]]:
    """A conversation's changes, oldest first; with `slot` only those of that slot."""
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
