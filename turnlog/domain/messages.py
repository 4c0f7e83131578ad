"""Reads messages from events; `domain/message_recording.py` writes them (ADR 14)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.calls import OpenCalls
from turnlog.domain.message import BROKEN_OFF
from turnlog.domain.message import Message as Message
from turnlog.domain.message_groups import NEW_MESSAGE as NEW_MESSAGE
from turnlog.domain.message_groups import Group, Numbered, Said, groups
from turnlog.domain.message_openai import content_parts
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


def messages(events: Iterable[Numbered]) -> Iterator[Message]:
    """The messages that events form, oldest first; calls of the user's side are in none.

    events: with their numbers, oldest first.
    """
    waiting = Waiting()
    for group in groups(events):
        yield message_of(group, waiting)


class Waiting:
    """Ids of the calls that wait for our results, and of those that wait for their provider's."""

    def __init__(self) -> None:
        self.ours = OpenCalls[str]()
        self.servers = OpenCalls[str]()

    def of(self, event: e.ToolCalled | e.ToolReturned) -> OpenCalls[str]:
        """The open calls on the side of an event: ours, or the provider's."""
        return self.servers if event.server else self.ours

    def pause(self) -> None:
        """Later calls are not parallel to the earlier ones."""
        self.ours.pause()
        self.servers.pause()


def message_of(group: Group, waiting: Waiting) -> Message:
    """The message that a group of events makes up; waiting: the calls of the groups before it."""
    number, first = group.members[0]
    metadata = dict(first.extra) if first.extra else {}
    metadata.pop(NEW_MESSAGE, None)
    if (content := openai_content(first)) is not None:
        metadata["content"] = content
    return Message(
        _role(group, first, metadata),
        _parts(group, waiting),
        id=first.message_id,
        name=_name(first, metadata),
        author=_author(first),
        metadata=metadata,
        event=number,
        **_measured(group),
    )


def _measured(group: Group) -> dict[str, Any]:
    """What the events about a message say of it; the last one counts."""
    first = group.members[0][1]
    found: dict[str, Any] = {"model": first.versions.model if first.versions else None}
    for about in group.about:
        if isinstance(about, e.AnswerBrokenOff):
            found["finish"] = BROKEN_OFF
        else:
            fields = {"usage": about.usage, "model": about.model, "finish": about.finish}
            found |= {name: held for name, held in fields.items() if held is not None}
    return found


def _author(first: e.Event) -> str | None:
    is_agents = first.actor is None and isinstance(first, e.AgentUttered)
    return "agent" if is_agents else first.actor


def _role(group: Group, first: e.Event, metadata: dict[str, Any]) -> str:
    if isinstance(first, e.SystemInstructed):
        elsewhere = metadata.pop("role", None)
        return first.role or str(elsewhere or "system")
    return group.side


def _name(first: e.Event, metadata: dict[str, Any]) -> str | None:
    """The name of the author or the tool; in `extra` if the type has no field for it."""
    if isinstance(first, e.ToolReturned) and not first.server:
        return first.name
    if isinstance(first, Said) and first.name is not None:
        return first.name
    return metadata.pop("name") if isinstance(metadata.get("name"), str) else None


# --- parts --------------------------------------------------------------------------------------


def _parts(group: Group, waiting: Waiting) -> tuple[Part, ...]:
    parts: list[Part] = []
    waiting.pause()
    for number, event in group.members:
        found = _parts_of(number, event, waiting)
        at = getattr(event, "at", None)
        place = len(parts) if at is None else at
        parts[place:place] = found
    return tuple(parts)


def _parts_of(number: int, event: e.Event, waiting: Waiting) -> Sequence[Part]:
    if isinstance(event, e.ToolCalled):
        return (_call(number, event, waiting),)
    if isinstance(event, e.ToolReturned):
        return (_result(event, waiting),)
    return _READERS.get(type(event), _said)(event)


def _refused(event: e.RefusalAdded) -> Sequence[Part]:
    return () if event.text is None else (Refusal(event.text),)


def _shown(event: e.MediaAdded) -> Sequence[Part]:
    name, content = event.filename, event.content
    return (Media(event.kind, event.mime, event.sha256, event.uri, name, content),)


def _said(event: e.Event) -> Sequence[Part]:
    if (content := openai_content(event)) is not None:
        return [*content_parts(content)]
    text = getattr(event, "text", None)
    return () if text is None else (Text(text),)


def openai_content(event: e.Event) -> list[Any] | None:
    """The parts in the form of OpenAI's API; None for none."""
    beside = event.extra if isinstance(event, e.SystemInstructed) else getattr(event, "data", None)
    content = (beside or {}).get("content")
    return content if isinstance(content, list) and isinstance(event, Said) else None


def _call(number: int, event: e.ToolCalled, waiting: Waiting) -> ToolCall:
    call_id = event.call_id if event.call_id is not None else f"call_{number}"
    waiting.of(event).made(event.call_id, call_id)
    given = event.arguments
    raw = given if event.raw is None and isinstance(given, str) else event.raw
    return ToolCall(call_id, event.name, given, raw, event.server, event.signature)


def _result(event: e.ToolReturned, waiting: Waiting) -> ToolResult:
    answered = waiting.of(event).answered(event.call_id)
    call_id = answered if event.call_id is None else event.call_id
    return ToolResult(call_id, event.name, event.result, bool(event.is_error))


_READERS: dict[type[e.Event], Callable[[Any], Sequence[Part]]] = {
    e.ReasoningAdded: lambda event: [Reasoning(event.text, event.signature, event.opaque)],
    e.RefusalAdded: _refused,
    e.MediaAdded: _shown,
    e.OpaqueAdded: lambda event: [Opaque(event.source, event.kind, event.content)],
}
"""The content of a part's event; for any other event a text, or a content in OpenAI's form."""
