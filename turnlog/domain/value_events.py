"""What a bot keeps for a session, by key."""

from __future__ import annotations

from typing import Any

from turnlog.domain.event import Event


class ValueSet(Event, tag=70, frozen=True, array_like=True, gc=False):
    """A session value; with `field`, one entry of the object kept under the key."""

    key: str
    value: Any = None
    field: str | None = None
    expires: float | None = None


class ValueAppended(Event, tag=71, frozen=True, array_like=True, gc=False):
    """The list under the key lost its first `trimmed` items and got `items` at its end."""

    key: str
    items: list[Any] = []
    trimmed: int = 0
    field: str | None = None


class ValueRemoved(Event, tag=72, frozen=True, array_like=True, gc=False):
    key: str
    field: str | None = None


class ValuesCleared(Event, tag=73, frozen=True, array_like=True, gc=False):
    retained: tuple[str, ...] = ()
