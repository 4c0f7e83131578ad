"""Messages for our own page: what was said, with markdown parsed, and the work behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from turnlog.domain.events import (
    AnswerBrokenOff,
    AnswerMeasured,
    Event,
    MessageRedacted,
    ReasoningAdded,
    ToolCalled,
    ToolReturned,
    UserUttered,
)
from turnlog.domain.message_groups import side
from turnlog.domain.recorded import RecordedEvent
from turnlog.server import markdown, wire
from turnlog.server.settings import Names

NAMES = Names()

MEASURES = ("input", "output", "cost", "currency", "latency")
"""The parts of an answer's usage that are shown."""

Content = dict[str, Any]


def page_messages(events: Sequence[RecordedEvent], *, work: bool = True) -> Iterator[Content]:
    """Messages, their name as `type`, and `words` if a bot's text has markdown.

    work: with the bot's reasoning, tool calls (their names only) and usage.
    """
    hidden = wire.redacted(events)
    for recorded in events:
        yield from _said(recorded, hidden)
        made = _worked(recorded.event) if work and recorded.number not in hidden else None
        if made is not None:
            yield {**made, "event": recorded.number, "time": recorded.event.timestamp}


def is_shown(recorded: RecordedEvent, *, work: bool = True) -> bool:
    """Whether a page shows an event by itself."""
    event = recorded.event
    if recorded.redacted:
        return False
    said = isinstance(event, UserUttered | AnswerBrokenOff) or wire.spoken(event) is not None
    return said or (work and _worked(event) is not None)


def _said(recorded: RecordedEvent, hidden: frozenset[int]) -> Iterator[Content]:
    for name, data in wire.numbered_messages([recorded], NAMES, hidden):
        message = {"type": name, **data}
        marked = name != NAMES.user_message and not data.get("agent")
        if marked and data["text"] and (words := markdown.tree(data["text"])):
            message["words"] = words
        yield message
    if isinstance(recorded.event, AnswerBrokenOff) and recorded.number not in hidden:
        reason = recorded.event.reason
        yield {"type": "broken_off", "reason": reason, "event": recorded.number}
    if isinstance(recorded.event, MessageRedacted):
        for number in recorded.event.events:
            if number != recorded.event.message:
                yield {"type": "message_changed", "message": number, "text": None}


def _worked(event: Event) -> Content | None:
    make = _WORK.get(type(event))
    return None if make is None else make(event)


def _reasoning(event: ReasoningAdded) -> Content | None:
    if not event.text or side(event) != "assistant":
        return None
    return {"type": "reasoning", "text": event.text}


def _called(event: ToolCalled) -> Content | None:
    if side(event) != "assistant":
        return None
    return {"type": "tool_called", "name": event.name, "call_id": event.call_id}


def _returned(event: ToolReturned) -> Content | None:
    if side(event) is None:
        return None
    return {"type": "tool_returned", "call_id": event.call_id, "failed": bool(event.is_error)}


def _measured(event: AnswerMeasured) -> Content | None:
    took = {"model": event.model}
    took |= {name: getattr(event.usage, name, None) for name in MEASURES}
    shown = {name: held for name, held in took.items() if held is not None}
    return {"type": "measured", **shown} if shown else None


_WORK: dict[type[Event], Callable[[Any], Content | None]] = {
    ReasoningAdded: _reasoning,
    ToolCalled: _called,
    ToolReturned: _returned,
    AnswerMeasured: _measured,
}
