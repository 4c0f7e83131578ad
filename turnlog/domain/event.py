"""What every event has in common; the events themselves are in `domain/events.py`."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.plain import to_plain


class Versions(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What ran when the event happened."""

    code: str | None = None
    model: str | None = None
    prompt: str | None = None


class Event(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """What every event can carry.

    timestamp: seconds since the epoch, UTC; the event's own time, never invented by an import.
    actor: who did it, where the type does not say (a user's own tool call, an operator).
    cause: number of the event in this conversation that led to this one.
    extra: fields of a foreign source that the type does not declare, under their own names; a
    name that is also a field says what the field could not hold.
    """

    timestamp: float | None = None
    message_id: str | None = None
    actor: str | None = None
    channel: str | None = None
    versions: Versions | None = None
    cause: int | None = None
    extra: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON has it: its `type`, and the fields that are not at their default."""
        plain: dict[str, Any] = to_plain(self)
        return plain
