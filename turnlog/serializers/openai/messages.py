"""Chat messages to events.

A message with text and tool calls, or with several calls, is several events: the later ones name
the first as their cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.message_groups import NEW_MESSAGE
from turnlog.domain.message_openai import content_text
from turnlog.errors import FormatError
from turnlog.serializers.shared.document import member
from turnlog.serializers.shared.json_value import parse, raw_parts

Message = Mapping[str, Any]

_READ = frozenset(
    ("role", "content", "tool_calls", "tool_call_id", "timestamp", "requestor", "tool_messages")
)


class Messages:
    """Turns messages into events and counts them."""

    def __init__(self) -> None:
        self.last: e.Event | None = None
        self.number = 0

    def opening(self, events: Iterable[e.Event]) -> Iterator[e.Event]:
        """Events that come before the messages."""
        for event in events:
            yield self._count(event)

    def events(self, messages: list[Any], field: str) -> Iterator[e.Event]:
        for index, message in enumerate(messages):
            try:
                yield from self._message(message)
            except FormatError as error:
                place = f"{field}[{index}]" + (f".{error.field}" if error.field else "")
                raise FormatError(error.why, field=place) from error

    def _message(self, message: Any) -> Iterator[e.Event]:
        role = member(message, "role", str)
        if role == "tool" and "tool_messages" in message:
            for part in member(message, "tool_messages", list):
                yield from self._message(part)
            return
        read = _ROLES.get(role)
        if read is None:
            raise FormatError(f"{role!r:.60} is no role", field="role")
        first = self.number + 1
        for event in read(message, _common(message)):
            yield self._count(self._joined(event, first))

    def _joined(self, event: e.Event, first: int) -> e.Event:
        if not isinstance(event, e.ToolCalled):
            return event
        if self.number >= first:
            return replace(event, cause=first)
        if isinstance(self.last, e.ToolCalled) and self.last.actor == event.actor:
            return replace(event, extra={**(event.extra or {}), NEW_MESSAGE: True})
        return event

    def _count(self, event: e.Event) -> e.Event:
        self.number += 1
        self.last = event
        return event


def _common(message: Message) -> dict[str, Any]:
    """Fields of whatever event a message becomes."""
    extra = {k: held for k, held in message.items() if k not in _READ and held is not None}
    fields: dict[str, Any] = {"extra": extra} if extra else {}
    time = message.get("timestamp")
    if time is not None:
        fields["timestamp"] = _seconds(time)
    return fields


def _seconds(time: Any) -> float:
    """Seconds of an ISO 8601 time, which is UTC where it does not say."""
    try:
        read = datetime.fromisoformat(time)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{time!r:.60} is no time", field="timestamp") from error
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def _said(message: Message) -> dict[str, Any]:
    """Text and data of a message's content; the parts of a content of parts are kept as data."""
    content = message.get("content")
    if isinstance(content, list):
        return {"text": content_text(content), "data": {"content": content}}
    if content is not None and not isinstance(content, str):
        raise FormatError(f"cannot be {content!r:.60}", field="content")
    return {"text": content}


def _instructed(message: Message, common: dict[str, Any]) -> Iterator[e.Event]:
    fields = _said(message)
    extra = dict(common.pop("extra", {}))
    if message["role"] != "system":
        extra["role"] = message["role"]
    if "data" in fields:
        extra["content"] = fields["data"]["content"]
    yield e.SystemInstructed(text=fields["text"], extra=extra or None, **common)


def _user(message: Message, common: dict[str, Any]) -> Iterator[e.Event]:
    yield from _uttered(e.UserUttered, message, common, actor="user")


def _assistant(message: Message, common: dict[str, Any]) -> Iterator[e.Event]:
    yield from _uttered(e.BotUttered, message, common, actor=None)


def _uttered(
    kind: type[e.UserUttered] | type[e.BotUttered],
    message: Message,
    common: dict[str, Any],
    *,
    actor: str | None,
) -> Iterator[e.Event]:
    """The text, unless there are only calls, then the calls."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise FormatError(f"a list was expected, not {calls!r:.60}", field="tool_calls")
    fields = _said(message)
    if fields["text"] is not None or "data" in fields or not calls:
        yield kind(**fields, **common)
        common = {key: held for key, held in common.items() if key == "timestamp"}
    for index, call in enumerate(calls):
        try:
            yield _called(call, common, actor)
        except FormatError as error:
            field = f"tool_calls[{index}]" + (f".{error.field}" if error.field else "")
            raise FormatError(error.why, field=field) from error
        common = {key: held for key, held in common.items() if key == "timestamp"}


def _called(call: Any, common: dict[str, Any], actor: str | None) -> e.ToolCalled:
    nested = call.get("function") if isinstance(call, dict) else None
    function = call if nested is None else nested
    name = member(function, "name", str)
    known = ("id", "type", "function", "name", "arguments", "requestor")
    extra = {k: held for k, held in call.items() if k not in known and held is not None}
    if call.get("type") not in (None, "function"):
        extra["type"] = call["type"]
    extra |= common.get("extra", {})
    rest = {key: held for key, held in common.items() if key != "extra"}
    return e.ToolCalled(
        name=name,
        arguments=arguments(function.get("arguments")),
        call_id=_id(call, "id"),
        actor=actor,
        extra=extra or None,
        **rest,
    )


def arguments(source: Any) -> Any:
    """The arguments as an object where the text is one; any other text as it stands."""
    if not isinstance(source, str):
        return source
    try:
        value = parse(source.encode())
    except FormatError:
        return source
    return value if isinstance(value, dict) and not any(raw_parts(value)) else source


def _returned(message: Message, common: dict[str, Any]) -> Iterator[e.Event]:
    """A tool's answer; tau2-bench names the call in `id`, and says whose and whether it failed."""
    extra = dict(common.pop("extra", {}))
    failed = extra.pop("error", None) if isinstance(extra.get("error"), bool) else None
    name = extra.pop("name", None) if isinstance(extra.get("name"), str) else None
    field = "tool_call_id" if "tool_call_id" in message else "id"
    if field == "id":
        extra.pop("id", None)
    if message["role"] != "tool":
        extra["role"] = message["role"]
    yield e.ToolReturned(
        result=message.get("content"),
        call_id=_id(message, field),
        name=name,
        is_error=failed,
        actor="user" if message.get("requestor") == "user" else None,
        extra=extra or None,
        **common,
    )


def _id(holder: Message, field: str) -> str | None:
    value = holder.get(field)
    if value is not None and not isinstance(value, str):
        raise FormatError(f"cannot be {value!r:.60}", field=field)
    return value


_ROLES: dict[str, Callable[[Message, dict[str, Any]], Iterator[e.Event]]] = {
    "system": _instructed,
    "developer": _instructed,
    "user": _user,
    "assistant": _assistant,
    "tool": _returned,
    "function": _returned,
}
