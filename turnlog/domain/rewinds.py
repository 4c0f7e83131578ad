"""What was taken back: the events before which a later one went."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.domain import events as e

REWINDS = (e.ActionReverted, e.UserUtteranceReverted, e.HistoryReplaced)
"""The events that go back to an earlier one, named in `to`."""


def taken_back(events: Iterable[e.Event]) -> dict[int, int]:
    """Numbers of a conversation's events that were taken back: the number of what did it.

    events: all of them, oldest first.
    """
    standing: list[int] = []
    taken: dict[int, int] = {}
    for number, event in enumerate(events, 1):
        if isinstance(event, REWINDS) and event.to is not None:
            while standing and standing[-1] > event.to:
                taken[standing.pop()] = number
        standing.append(number)
    return taken
