"""Events that name others by number, when these have other numbers."""

from __future__ import annotations

from msgspec.structs import replace

from turnlog.domain.events import Event, HistoryContinued

_NUMBERS = ("cause", "message", "to", "event")
"""Fields that say an event's number."""


def moved(event: Event, after: int, by: int = 1) -> Event:
    """An event in a conversation where those numbered above `after` are `by` further on.

    It is the conversation's own: of a fork it does not say of which.
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
