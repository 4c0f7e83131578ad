"""A conversation's events as the inspector shows them: each with what it did to the slots."""

from __future__ import annotations

from typing import Any

from turnlog.domain.events import Event, ForeignRecorded, MediaAdded
from turnlog.domain.plain import to_plain
from turnlog.domain.recorded import TracedEvent
from turnlog.domain.traits import Rewind
from turnlog.server.contents import bytes_of, safe_type

LEFT_OUT = ("type", "timestamp", "actor")
"""Said beside the fields."""


def item(traced: TracedEvent) -> dict[str, Any]:
    """`{"event", "turn", "session", "type", "time", "actor", "fields", "slots", "to"}`.

    slots: what changed, None for a value taken away; to: where a rewind went back to; content:
    `{"bytes", "type"}` of what can be downloaded. Where there are branches, `branch` and
    `branch_turn` too.
    """
    event = traced.event
    plain = {name: held for name, held in to_plain(event).items() if name not in LEFT_OUT}
    fields = {name: _shown(event, name, held) for name, held in plain.items()}
    shown = {
        "event": traced.number,
        "turn": traced.turn,
        "session": traced.session,
        "type": type(event).__name__,
        "time": event.timestamp,
        "actor": traced.actor,
        "fields": {"redacted": True} if traced.redacted else fields,
    }
    if not traced.redacted and (held := bytes_of(event)) is not None:
        shown["content"] = {"bytes": len(held), "type": safe_type(event)}
    if isinstance(event, Rewind):
        shown["to"] = event.to
    shown |= traced.place
    if traced.slots:
        shown["slots"] = {name: after for name, (_, after) in traced.slots.items()}
    return shown


def _shown(event: Event, name: str, held: Any) -> Any:
    """Bytes are counted, and not sent to a page."""
    is_bytes = isinstance(event, MediaAdded | ForeignRecorded) and name in ("content", "body")
    return f"{len(bytes_of(event) or b''):,} bytes" if is_bytes else held
