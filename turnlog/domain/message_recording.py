"""Turns messages into events from which `messages` reads the same messages (ADR 14)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.errors import InvalidMessage
from turnlog.domain.message import BROKEN_OFF, Message
from turnlog.domain.message_groups import NEW_MESSAGE, SIDES, Group, Said, continues
from turnlog.domain.message_openai import content_parts, content_text
from turnlog.domain.message_parts import (
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from turnlog.domain.plain import dumps
from turnlog.domain.traits import Part as PartEvent

_SIDE = {"system": "system", "developer": "system", "user": "user", "tool": "tool"}
"""The actor of a role's parts; the assistant's name none."""

_ROLES = (*_SIDE, "assistant")
_CALLING = {"assistant": (ToolCall, ToolResult), "tool": (ToolResult,)}
_NOT_BY = {"assistant": SIDES, "tool": ("user",)}
"""Authors that would move an event to another side's message."""


def recorded_as(messages: Iterable[Message], first: int = 1) -> Iterator[e.Event]:
    """The events of messages, oldest first; first: the number of the first event.

    The first message is separate, whatever was recorded before. Raises InvalidMessage for a message
    that no events can represent.
    """
    recording = Recording(first)
    for message in messages:
        yield from recording.take(message)


class Recording:
    """Turns messages into events one by one; number: that of the next event."""

    def __init__(self, first: int = 1) -> None:
        self.number = first
        self._before = Group("assistant", []) if first > 1 else None

    def take(self, message: Message) -> list[e.Event]:
        """The events of the next message. Raises InvalidMessage as `recorded_as` does."""
        _check(message)
        events = list(_events(message, self.number))
        its = _SIDE.get(message.role, "assistant")
        if self._goes_on(its, events[0]):
            events[0] = replace(events[0], extra={**(events[0].extra or {}), NEW_MESSAGE: True})
        self._before = Group(its, list(enumerate(events, self.number)))
        events += _about(message, self.number)
        self.number += len(events)
        return events

    def _goes_on(self, its: str, event: e.Event) -> bool:
        """Whether an event could be read as the rest of the message before it.

        If that message is unknown, an assistant's event could.
        """
        before = self._before
        if before is None or before.side != its:
            return False
        return not before.members or continues(event, before)

    def pass_over(self, events: int) -> None:
        """Skip this many events that belong to no message."""
        self.number += events


def _check(message: Message) -> None:
    role = message.role
    if role not in _ROLES:
        raise InvalidMessage(role, "role", f"is not one of {', '.join(_ROLES)}")
    if message.author in _NOT_BY.get(role, ()):
        raise InvalidMessage(role, "author", f"cannot be {message.author!r} for this role")
    for part in message.parts:
        if isinstance(part, ToolCall | ToolResult) and not isinstance(part, _CALLING.get(role, ())):
            raise InvalidMessage(role, "parts", f"cannot contain a {type(part).__name__}")
    if role == "tool":
        _check_result(message)
    for name in _reserved(message):
        raise InvalidMessage(role, f"metadata.{name}", "this name is reserved for the log")


def _reserved(message: Message) -> Iterator[str]:
    """The metadata under a name that would be read as the message's own."""
    held = message.metadata
    if NEW_MESSAGE in held:
        yield NEW_MESSAGE
    if isinstance(held.get("name"), str) and message.role != "tool":
        yield "name"
    if "role" in held and message.role in ("system", "developer"):
        yield "role"


def _check_result(message: Message) -> None:
    result = next((part for part in message.parts if isinstance(part, ToolResult)), None)
    if result is None:
        raise InvalidMessage(message.role, "parts", "contain no ToolResult")
    if message.name not in (None, result.name):
        why = f"is {message.name!r:.60}, and the result's is {result.name!r:.60}"
        raise InvalidMessage(message.role, "name", why)


# --- the events of one message ------------------------------------------------------------------


def _events(message: Message, number: int) -> Iterator[e.Event]:
    """The first event takes the part that opens the message, whichever parts precede it."""
    parts = list(enumerate(message.parts))
    if (content := _content(message)) is not None:
        yield _opened(_with_content(message, content), message)
        del parts[: len(list(content_parts(content)))]
        opening = -1
    elif (place := _opening(message)) is not None:
        yield _opened(_event(message, message.parts[place]), message)
        del parts[place]
        opening = place
    else:
        yield _opened(_spoken(message, None), message)
        opening = -1
    for index, part in parts:
        yield _inner(message, part, number, index if index < opening else None)


def _inner(message: Message, part: Part, number: int, at: int | None) -> e.Event:
    """The event of a part after the first event; number: its own."""
    side = _SIDE.get(message.role)
    if isinstance(part, Text) and side is not None:
        event: e.Event = e.TextAdded(part.text)
    else:
        event = _event(message, part)
    if isinstance(event, PartEvent):
        return replace(event, cause=number, actor=side, at=at)
    return replace(event, cause=number)


def _opening(message: Message) -> int | None:
    """The place of the part in the first event; None if it has none."""
    if message.role == "assistant":
        return 0 if message.parts else None
    kind = ToolResult if message.role == "tool" else Text
    places = (index for index, part in enumerate(message.parts) if isinstance(part, kind))
    return next(places, None)


def _opened(event: e.Event, message: Message) -> e.Event:
    """The first event with the message's own fields."""
    extra = {name: held for name, held in message.metadata.items() if name != "content"}
    extra = {**(event.extra or {}), **extra}
    by_agent = isinstance(event, e.AgentUttered)
    changed: dict[str, Any] = {
        "message_id": message.id,
        "actor": None if by_agent else message.author,
        "versions": e.Versions(model=message.model) if message.model is not None else None,
    }
    if isinstance(event, Said):
        changed["name"] = message.name
    elif message.name is not None and message.role != "tool":
        extra["name"] = message.name
    opened: e.Event = replace(event, extra=extra or None, **changed)
    return opened


def _about(message: Message, number: int) -> Iterator[e.Event]:
    broken = message.finish == BROKEN_OFF
    finish = None if broken else message.finish
    if message.usage is not None or finish is not None:
        yield e.AnswerMeasured(number, message.usage, finish=finish)
    if broken:
        yield e.AnswerBrokenOff(number)


# --- the event of one part ----------------------------------------------------------------------


def _event(message: Message, part: Part) -> e.Event:
    match part:
        case Text():
            return _spoken(message, part.text)
        case Reasoning():
            return e.ReasoningAdded(part.text, part.signature, part.opaque)
        case ToolCall():
            return _called(part)
        case ToolResult():
            return _returned(message, part)
        case Refusal():
            return e.RefusalAdded(part.text)
        case Media():
            return e.MediaAdded(
                part.kind, part.mime, part.uri, part.sha256, part.content, part.name
            )
        case Opaque():
            return e.OpaqueAdded(part.source, part.kind, part.content)


def _spoken(message: Message, text: str | None) -> e.Event:
    if message.role == "user":
        return e.UserUttered(text)
    if message.role == "assistant":
        return e.AgentUttered(text) if message.author == "agent" else e.BotUttered(text)
    return e.SystemInstructed(text, role=None if message.role == "system" else message.role)


def _called(call: ToolCall) -> e.ToolCalled:
    given, raw = call.arguments, call.raw
    if isinstance(given, str):  # a text that is not the model's own is a JSON string
        raw = dumps(given).decode() if raw is None else None if raw == given else raw
    return e.ToolCalled(
        call.name, given, call.id, raw=raw, server=call.server, signature=call.signature
    )


def _returned(message: Message, result: ToolResult) -> e.ToolReturned:
    server = message.role == "assistant"
    failed = True if result.is_error else None
    return e.ToolReturned(result.content, result.call_id, result.name, failed, server=server)


# --- a content as OpenAI's API has it -----------------------------------------------------------


def _content(message: Message) -> list[Any] | None:
    """Raises InvalidMessage if it says something else than the parts."""
    if "content" not in message.metadata:
        return None
    content = message.metadata["content"]
    parts = list(content_parts(content)) if isinstance(content, list) else []
    if not parts or list(message.parts[: len(parts)]) != parts or message.role == "tool":
        raise InvalidMessage(message.role, "metadata.content", "says something else than the parts")
    return list(content)


def _with_content(message: Message, content: list[Any]) -> e.Event:
    event = _spoken(message, content_text(content))
    held = {"content": content}
    is_instructed = isinstance(event, e.SystemInstructed)
    with_content: e.Event = replace(event, **{"extra" if is_instructed else "data": held})
    return with_content
