"""Which result answers which tool call."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.domain.events import Event, ToolCalled, ToolReturned


def answers(events: Iterable[tuple[int, Event]]) -> dict[int, ToolReturned]:
    """The result of each call, by the call's number: a result answers the nearest earlier call of
    its id that has none.

    events: with their numbers, oldest first. A call that was never answered is absent.
    """
    waiting: dict[str | None, list[int]] = {}
    found: dict[int, ToolReturned] = {}
    for number, event in events:
        if isinstance(event, ToolCalled):
            waiting.setdefault(event.call_id, []).append(number)
        elif isinstance(event, ToolReturned) and waiting.get(event.call_id):
            found[waiting[event.call_id].pop()] = event
    return found
