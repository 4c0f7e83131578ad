"""What was taken back: the events before which a later one went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnlog.domain import events as e

REWINDS = (e.ActionReverted, e.UserUtteranceReverted, e.HistoryReplaced)
"""The events that go back to an earlier one, named in `to`."""


def taken_back(events: Iterable[e.Event]) -> dict[int, int]:
    """Numbers of a conversation's events that were taken back: the number of what did it.

    events: all of them, oldest first.
    """
    return taken_by(
        [
            (number, event.to)
            for number, event in enumerate(events, 1)
            if isinstance(event, REWINDS) and event.to is not None
        ]
    )


def taken_by(rewinds: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The same, from the number of each rewind, oldest first, and of the event it went back to.

    A rewind that was itself taken back takes nothing any more.
    """
    taken: dict[int, int] = {}
    oldest: int | None = None
    for number, to in reversed(rewinds):
        if oldest is None or number <= oldest:
            taken |= dict.fromkeys(range(to + 1, number), number)
            oldest = to
    return taken
