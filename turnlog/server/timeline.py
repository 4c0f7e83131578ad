"""A conversation's events as the inspector shows them, each with its effect on the slots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlog.domain.events import (
    AgentUttered,
    BotUttered,
    Event,
    ForeignRecorded,
    MediaAdded,
    TextAdded,
)
from turnlog.domain.plain import dumps, to_plain
from turnlog.domain.recorded import TracedEvent
from turnlog.domain.traits import Rewind
from turnlog.server import markdown
from turnlog.server.contents import bytes_of, safe_type

LEFT_OUT = ("type", "timestamp", "actor")
"""Fields that are shown elsewhere."""

LONGEST = 4_000
"""Characters of a value that is sent whole; a client requests the rest of a longer one."""

_MARKED = (BotUttered, AgentUttered, TextAdded)


def item(traced: TracedEvent, *, whole: bool = False) -> dict[str, Any]:
    """`{"event", "turn", "session", "type", "time", "actor", "fields", "slots", "to"}`.

    slots: what changed, None for a removed value. to: where a rewind went back to. content:
    `{"bytes", "type"}` of what can be downloaded. marked: the tree of a text with markdown. If
    there are branches, also `branch` and `branch_turn`. Values above LONGEST are cut unless the
    item is requested whole; `cut` gives the length of each, by name.
    """
    event = traced.event
    shown = {
        "event": traced.number,
        "turn": traced.turn,
        "session": traced.session,
        "type": type(event).__name__,
        "time": event.timestamp,
        "actor": traced.actor,
    }
    fields = {"redacted": True} if traced.redacted else _fields(event)
    slots = {name: after for name, (_, after) in traced.slots.items()}
    lengths: dict[str, int] = {}
    shown["fields"] = fields if whole else shortened(fields, lengths)
    if slots:
        shown["slots"] = slots if whole else shortened(slots, lengths)
    if lengths:
        shown["cut"] = lengths
    return shown | _further(traced, "text" in lengths) | traced.place


def _fields(event: Event) -> dict[str, Any]:
    plain = {name: held for name, held in to_plain(event).items() if name not in LEFT_OUT}
    return {name: _shown(event, name, held) for name, held in plain.items()}


def _further(traced: TracedEvent, is_cut: bool) -> dict[str, Any]:
    """What only some events have."""
    event = traced.event
    further: dict[str, Any] = {}
    if isinstance(event, Rewind):
        further["to"] = event.to
    if traced.redacted:
        return further
    if (held := bytes_of(event)) is not None:
        further["content"] = {"bytes": len(held), "type": safe_type(event)}
    text = event.text if isinstance(event, _MARKED) and not is_cut else None
    if text and (nodes := markdown.tree(text)) is not None:
        further["marked"] = nodes
    return further


def shortened(values: Mapping[str, Any], lengths: dict[str, int]) -> dict[str, Any]:
    """The values, each cut to LONGEST, and the lengths of those that were cut."""
    return {name: _short(name, value, lengths) for name, value in values.items()}


def _short(name: str, value: Any, lengths: dict[str, int]) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    text = value if isinstance(value, str) else dumps(value).decode()
    if len(text) <= LONGEST:
        return value
    lengths[name] = len(text)
    return text[:LONGEST] + "…"


def _shown(event: Event, name: str, held: Any) -> Any:
    """The size of bytes, which are not sent to a page."""
    is_bytes = isinstance(event, MediaAdded | ForeignRecorded) and name in ("content", "body")
    return f"{len(bytes_of(event) or b''):,} bytes" if is_bytes else held
