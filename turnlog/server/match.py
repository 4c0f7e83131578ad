"""Searches a conversation for the next event that matches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.plain import dumps, to_plain

SCANNED = 10_000
"""Events that are read in one page."""

_FAILING = (e.BotFailed, e.DeliveryFailed, e.AnswerBrokenOff, e.IncidentReported)

Wanted = Callable[[e.Event], bool]


def fails(event: e.Event) -> bool:
    """Whether the event is a failure of the bot, a tool, a delivery or an answer."""
    if isinstance(event, e.ToolReturned):
        return bool(event.is_error)
    return isinstance(event, _FAILING)


def says(text: str) -> Wanted:
    """Whether an event has a text anywhere in its fields, ignoring case."""
    wanted = text.casefold()

    def holds(event: e.Event) -> bool:
        plain = to_plain(event)
        return any(wanted in _read(held) for name, held in plain.items() if name != "timestamp")

    return holds


def _read(value: Any) -> str:
    text = value if isinstance(value, str) else dumps(value).decode()
    return text.casefold()


def match(
    conversation: Conversation, event: int, wanted: Wanted, *, back: bool = False
) -> dict[str, int | None]:
    """`{"event", "seen"}`: the nearest match after an event, or before it; None if none so far.

    seen: the last event that was read, from which to continue; None at the end.
    """
    number = event
    for looked, (number, found) in enumerate(_numbered(conversation, event, back=back), 1):
        if wanted(found):
            return {"event": number, "seen": number}
        if looked == SCANNED:
            return {"event": None, "seen": number}
    return {"event": None, "seen": None}


def _numbered(
    conversation: Conversation, event: int, *, back: bool
) -> Iterator[tuple[int, e.Event]]:
    if not back:
        return enumerate(conversation.events(event), event + 1)
    at = conversation.at(max(0, event - 1))
    return ((recorded.number, recorded.event) for recorded in at.newest_first())
