"""What a message led to: the events it caused, and those of its turn that name no cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from turnlog.domain import events as e
from turnlog.domain.traits import Utterance

Numbered = tuple[int, e.Event]


def consequences(message: int, events: Sequence[Numbered], before: float = inf) -> frozenset[int]:
    """Numbers of the events that a message led to.

    events: all of the conversation's, oldest first. Without a cause, those of its turn: up to the
    next message where it is not a user's, and to those before an event.
    """
    causes = {number: event.cause for number, event in events if event.cause is not None}
    near = range(message + 1, int(min(_end(message, events), before)))
    return frozenset(
        number
        for number, event in events
        if (_is_caused(message, number, causes) if event.cause is not None else number in near)
    )


def _is_caused(message: int, number: int, causes: Mapping[int, int]) -> bool:
    """Whether the message is the cause, or the cause of the cause, and so on."""
    seen: set[int] = set()
    cause = causes.get(number)
    while cause is not None and cause not in seen:
        if cause == message:
            return True
        seen.add(cause)
        cause = causes.get(cause)
    return False


def _end(message: int, events: Sequence[Numbered]) -> int:
    of_user = any(n == message and isinstance(event, e.UserUttered) for n, event in events)
    ends = e.UserUttered if of_user else Utterance
    after = (n for n, event in events if n > message and isinstance(event, ends))
    return next(after, len(events) + 1)
