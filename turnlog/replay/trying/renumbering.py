"""Renumbers the references of events to other events."""

from __future__ import annotations

from msgspec.structs import replace

from turnlog.domain.events import Event, HistoryContinued

_NUMBERS = ("cause", "message", "to", "event")
"""Fields with an event's number."""


def moved(event: Event, after: int, by: int = 1) -> Event:
    """An event in a conversation in which the numbers above `after` are higher by `by`.

    It becomes the conversation's own: a fork's first event no longer names the origin.
    """
    named = {name: getattr(event, name) for name in _NUMBERS if name in event.__struct_fields__}
    fields: dict[str, int | None] = {
        name: number + by
        for name, number in named.items()
        if isinstance(number, int) and number > after
    }
    if isinstance(event, HistoryContinued):
        fields["conversation"] = None
    return replace(event, **fields)
