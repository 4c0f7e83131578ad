"""What a message led to: the events it caused, and those of its turn that name no cause."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf

from turnlog.domain import events as e
from turnlog.domain.traits import AboutMessage, Utterance

Numbered = tuple[int, e.Event]


def consequences(message: int, events: Sequence[Numbered], before: float = inf) -> frozenset[int]:
    """Numbers of the events that a message led to.

    events: all of the conversation's, oldest first. Those whose causes lead to no message at all
    count by their place: in its turn, up to the next message where it is not a user's, and before
    an event.
    """
    links = _links(events)
    messages = {message, *(n for n, event in events if isinstance(event, Utterance))}
    near = range(message + 1, int(min(_end(message, events), before)))
    return frozenset(
        number
        for number, _ in events
        if (origin := _origin(number, links, messages)) == message
        or (origin is None and number in near)
    )


def _links(events: Sequence[Numbered]) -> dict[int, int]:
    """What each event names as what it follows from: its cause, its message, its call."""
    links: dict[int, int] = {}
    calls: dict[str | None, int] = {}
    for number, event in events:
        if isinstance(event, e.ToolCalled):
            calls[event.call_id] = number
        link = event.cause
        if link is None and isinstance(event, AboutMessage):
            link = event.message
        if link is None and isinstance(event, e.ToolReturned):
            link = calls.get(event.call_id)
        if link is not None:
            links[number] = link
    return links


def _origin(number: int, links: Mapping[int, int], messages: Collection[int]) -> int | None:
    """The message that the event's causes lead to; None where they lead to none."""
    seen: set[int] = set()
    cause = links.get(number)
    while cause is not None and cause not in seen:
        if cause in messages:
            return cause
        seen.add(cause)
        cause = links.get(cause)
    return None


def _end(message: int, events: Sequence[Numbered]) -> int:
    of_user = any(n == message and isinstance(event, e.UserUttered) for n, event in events)
    ends = e.UserUttered if of_user else Utterance
    after = (n for n, event in events if n > message and isinstance(event, ends))
    return next(after, len(events) + 1)
