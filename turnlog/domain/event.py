"""What all events have in common; `domain/events.py` lists the events."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.plain import to_plain


class Versions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The code, model and prompt that ran when the event happened."""

    code: str | None = None
    model: str | None = None
    prompt: str | None = None


class Event(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """What every event can carry.

    timestamp: seconds since the epoch, UTC; the event's own time, never invented by an import.
    actor: who caused it, if the type does not say (a user's own tool call, an operator). cause: the
    number of the event in this conversation that led to this one. extra: fields of a foreign source
    that the type does not declare, under their own names; under a field's name, the value that the
    field could not represent.
    """

    timestamp: float | None = None
    message_id: str | None = None
    actor: str | None = None
    channel: str | None = None
    versions: Versions | None = None
    cause: int | None = None
    extra: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON: its `type`, and the fields that differ from their defaults."""
        plain: dict[str, Any] = to_plain(self)
        return plain
