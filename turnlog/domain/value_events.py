"""What a bot stores for a session, by key."""

from __future__ import annotations

from typing import Any

from turnlog.domain.event import Event


class ValueSet(Event, tag=70, frozen=True, array_like=True, gc=False):
    """A session value was set; with `field`, one entry of the object under the key."""

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
    """A session value was removed; with `field`, one entry of the object under the key."""

    key: str
    field: str | None = None


class ValuesCleared(Event, tag=73, frozen=True, array_like=True, gc=False):
    """All session values but the retained keys were removed."""

    retained: tuple[str, ...] = ()
