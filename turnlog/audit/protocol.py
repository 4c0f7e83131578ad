"""A conversation as a protocol: every event with its effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.plain import to_plain
from turnlog.domain.recorded import RecordedEvent, TracedEvent, shown, traced
from turnlog.domain.redactions import Redactions
from turnlog.domain.rewinds import rewinds_in, taken_by


def protocol(events: Sequence[RecordedEvent]) -> list[TracedEvent]:
    """The lines of a conversation, oldest first. events: as recorded, from the first on."""
    numbered = [(recorded.number, recorded.event) for recorded in events]
    taken_back = taken_by(rewinds_in(numbered))
    return list(traced(shown(events, taken_back, Redactions(numbered))))


_SHARED = frozenset(e.Event.__struct_fields__) | {"type"}


def details(event: e.Event) -> dict[str, Any]:
    """The fields that only this type of event has, as plain values, and `extra`."""
    fields = {key: value for key, value in to_plain(event).items() if key not in _SHARED}
    if event.extra:
        fields["extra"] = event.extra
    return fields
