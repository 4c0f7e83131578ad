"""A conversation's events as the inspector shows them: each with what it did to the slots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.actors import actor
from turnlog.domain.apply import fold
from turnlog.domain.rewinds import REWINDS
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.serializers import plain

BULKY = ("restored",)
"""Fields that say again what other events have said."""


class Timeline:
    """Folds events on from a state; `items` describes them. redacted: numbers of events."""

    def __init__(self, state: State, redacted: Iterable[int] = ()) -> None:
        self._state = state.copy()
        self._redacted = set(redacted)

    def items(self, events: Iterable[e.Event]) -> Iterator[dict[str, Any]]:
        """`{"event", "turn", "session", "type", "time", "actor", "fields", "slots", "to"}`.

        slots: what changed, None for a value taken away; to: where a rewind went back to.
        """
        for event in events:
            before = self._state.slots
            fold(self._state, (event,))
            item = self._described(event)
            if changed := _changes(before, self._state.slots):
                item["slots"] = changed
            yield item

    def _described(self, event: e.Event) -> dict[str, Any]:
        state = self._state
        fields = plain.to_plain(event)
        for name in ("type", "timestamp", "actor", *BULKY):
            fields.pop(name, None)
        if state.event in self._redacted:
            fields = {"redacted": True}
        item = {
            "event": state.event,
            "turn": state.turn,
            "session": state.session.number,
            "type": type(event).__name__,
            "time": event.timestamp,
            "actor": actor(event),
            "fields": fields,
        }
        if isinstance(event, REWINDS):
            item["to"] = event.to
        return item


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    names = before.keys() | after.keys()
    return {
        name: after.get(name)
        for name in sorted(names)
        if not binary.same(before.get(name), after.get(name))
    }
