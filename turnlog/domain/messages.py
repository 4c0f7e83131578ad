"""What was said, as today's models take it: messages of a role, made of parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from turnlog.domain import events as e
from turnlog.domain.plain import dumps

Numbered = tuple[int, e.Event]

NEW_MESSAGE = "new_message"
"""In `extra` of a call that follows another but begins a message of its own."""


class Text(msgspec.Struct, frozen=True, tag=True):
    text: str


class ToolCall(msgspec.Struct, frozen=True, tag=True):
    """raw: the arguments as the model wrote them, where they are no JSON object."""

    id: str
    name: str
    arguments: Any = None
    raw: str | None = None

    def as_openai(self) -> dict[str, Any]:
        given = {} if self.arguments is None else self.arguments
        text = dumps(given).decode() if self.raw is None else self.raw
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": text},
        }


class ToolResult(msgspec.Struct, frozen=True, tag=True):
    """content: what the tool returned, any JSON value."""

    call_id: str | None
    name: str | None = None
    content: Any = None
    is_error: bool = False


Part = Text | ToolCall | ToolResult


class Message(msgspec.Struct, frozen=True):
    """event: number of the first of the events that make it up. author: who, beyond the role.

    role: system, developer, user, assistant or tool. metadata: what a foreign source says of it
    beside; `content` in it are parts that are more than text, as they came.
    """

    role: str
    parts: tuple[Part, ...] = ()
    id: str | None = None
    name: str | None = None
    author: str | None = None
    usage: dict[str, Any] | None = None
    model: str | None = None
    finish: str | None = None
    metadata: Mapping[str, Any] = {}
    event: int | None = None

    @property
    def text(self) -> str:
        """Its texts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    def as_openai(self) -> dict[str, Any]:
        """The message as OpenAI's chat API takes it."""
        for part in self.parts:
            if isinstance(part, ToolResult):
                return self._result(part)
        content = self.metadata.get("content")
        texts = any(isinstance(part, Text) for part in self.parts)
        message = {"role": self.role, "content": content or (self.text if texts else None)}
        if self.name is not None:
            message["name"] = self.name
        if calls := [part.as_openai() for part in self.parts if isinstance(part, ToolCall)]:
            message["tool_calls"] = calls
        return message

    def _result(self, part: ToolResult) -> dict[str, Any]:
        message = {"role": self.role, "tool_call_id": part.call_id, "name": part.name}
        message = {name: held for name, held in message.items() if held is not None}
        is_text = isinstance(part.content, str) or _are_texts(part.content)
        return {**message, "content": part.content if is_text else dumps(part.content).decode()}


def _are_texts(content: Any) -> bool:
    return isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" for part in content
    )


def messages(events: Iterable[Numbered]) -> Iterator[Message]:
    """The messages that events make up, oldest first; calls of the user's side are in none.

    events: with their numbers, oldest first.
    """
    waiting: list[str] = []
    for group in _groups(events):
        number, first = group[0]
        parts = tuple(part for n, event in group for part in _parts(n, event, waiting))
        yield _MAKERS[type(first)](number, first, parts)


def _groups(events: Iterable[Numbered]) -> Iterator[Sequence[Numbered]]:
    """The events of each message: calls go with the text, or the calls, that they belong to."""
    group: list[Numbered] = []
    for number, event in events:
        if type(event) not in _MAKERS or _is_silent(event):
            continue
        if group and not (isinstance(event, e.ToolCalled) and _joins(event, group)):
            yield group
            group = []
        group.append((number, event))
    if group:
        yield group


def _is_silent(event: e.Event) -> bool:
    if isinstance(event, e.SystemInstructed):
        return event.tools is not None and event.text is None
    return isinstance(event, e.ToolCalled | e.ToolReturned) and event.actor == "user"


def _joins(call: e.ToolCalled, group: Sequence[Numbered]) -> bool:
    """Whether a call belongs to the message before it."""
    number, first = group[0]
    if not isinstance(first, e.BotUttered | e.AgentUttered | e.ToolCalled):
        return False
    if call.cause is not None and call.cause == number:
        return True
    before = group[-1][1]
    apart = call.extra is not None and NEW_MESSAGE in call.extra
    return isinstance(before, e.ToolCalled) and before.cause == call.cause and not apart


def _parts(number: int, event: e.Event, waiting: list[str]) -> Iterator[Part]:
    """waiting: ids of the calls that no result answered yet."""
    if isinstance(event, e.ToolCalled):
        call_id = event.call_id if event.call_id is not None else f"call_{number}"
        waiting.append(call_id)
        is_text = isinstance(event.arguments, str)
        yield ToolCall(call_id, event.name, event.arguments, event.arguments if is_text else None)
    elif isinstance(event, e.ToolReturned):
        answered = event.call_id
        if answered is None and waiting:
            answered = waiting[0]
        if answered in waiting:
            waiting.remove(answered)
        yield ToolResult(answered, event.name, event.result, bool(event.is_error))
    elif (text := getattr(event, "text", None)) is not None:
        yield Text(text)


def _instructed(number: int, event: e.SystemInstructed, parts: tuple[Part, ...]) -> Message:
    extra = event.extra or {}
    return _message(str(extra.get("role", "system")), number, event, parts)


def _said(
    number: int, event: e.UserUttered | e.BotUttered | e.AgentUttered, parts: tuple[Part, ...]
) -> Message:
    role = "user" if isinstance(event, e.UserUttered) else "assistant"
    content = (event.data or {}).get("content")
    beside = {"content": content} if isinstance(content, list) else {}
    return _message(role, number, event, parts, **beside)


def _called(number: int, event: e.ToolCalled, parts: tuple[Part, ...]) -> Message:
    return _message("assistant", number, event, parts)


def _returned(number: int, event: e.ToolReturned, parts: tuple[Part, ...]) -> Message:
    return msgspec.structs.replace(_message("tool", number, event, parts), name=event.name)


def _message(
    role: str, number: int, event: e.Event, parts: tuple[Part, ...], **beside: Any
) -> Message:
    metadata = {**(event.extra or {}), **beside}
    name = metadata.get("name")
    return Message(
        role,
        parts,
        id=event.message_id,
        name=name if isinstance(name, str) else None,
        author=event.actor,
        model=event.versions.model if event.versions else None,
        metadata=metadata,
        event=number,
    )


_MAKERS: dict[type[e.Event], Callable[[int, Any, tuple[Part, ...]], Message]] = {
    e.SystemInstructed: _instructed,
    e.UserUttered: _said,
    e.BotUttered: _said,
    e.AgentUttered: _said,
    e.ToolCalled: _called,
    e.ToolReturned: _returned,
}
