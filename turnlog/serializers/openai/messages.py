"""Chat messages to events, by way of the message model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.message_chat import beyond, read_chat
from turnlog.domain.message_recording import Recording
from turnlog.domain.plain import dumps
from turnlog.errors import FormatError, InvalidMessage
from turnlog.serializers.shared.document import member
from turnlog.serializers.shared.json_value import parse

_TAU2 = ("timestamp", "requestor", "tool_messages")
"""Members of tau2-bench's messages that are read here."""


class Messages:
    """Turns messages into events and counts them."""

    def __init__(self) -> None:
        self._recording = Recording()

    def opening(self, events: Iterable[e.Event]) -> Iterator[e.Event]:
        """Events that come before the messages."""
        for event in events:
            self._recording.pass_over(1)
            yield event

    def events(self, messages: list[Any], field: str) -> Iterator[e.Event]:
        """The events of the messages. Raises FormatError with the index of a faulty one."""
        for index, message in enumerate(messages):
            try:
                yield from self._message(message)
            except (FormatError, InvalidMessage) as error:
                place = f"{field}[{index}]" + (f".{error.field}" if error.field else "")
                raise FormatError(error.why, field=place) from error

    def _message(self, message: Any) -> Iterator[e.Event]:
        role = member(message, "role", str)
        if role == "tool" and "tool_messages" in message:
            for part in member(message, "tool_messages", list):
                yield from self._message(part)
            return
        time = message.get("timestamp")
        timestamp = None if time is None else _seconds(time)
        for event in self._said(role, message):
            yield event if timestamp is None else replace(event, timestamp=timestamp)

    def _said(self, role: str, message: Mapping[str, Any]) -> list[e.Event]:
        said = {key: held for key, held in message.items() if key not in _TAU2}
        if role == "tool":
            return self._result(message, said)
        if role == "user" and said.get("tool_calls"):
            return self._of_user(said, said.pop("tool_calls"))
        return self._with_calls(self._recording.take(read_chat(said, arguments)), said)

    def _with_calls(self, events: list[e.Event], said: Mapping[str, Any]) -> list[e.Event]:
        """The same, with the members next to the calls."""
        rests = iter([beyond(call) for call in said.get("tool_calls") or ()])
        return [
            replace(event, extra={**rest, **(event.extra or {})} or None)
            if isinstance(event, e.ToolCalled) and (rest := next(rests, None))
            else event
            for event in events
        ]

    def _result(self, message: Mapping[str, Any], said: dict[str, Any]) -> list[e.Event]:
        """A tool's answer; tau2-bench names the call in `id`, and says whose it was."""
        if "tool_call_id" not in said:
            said["tool_call_id"] = said.pop("id", None)
        actor = "user" if message.get("requestor") == "user" else None
        events = self._recording.take(read_chat(said, arguments))
        return [replace(event, actor=actor) if actor else event for event in events]

    def _of_user(self, said: dict[str, Any], calls: Any) -> list[e.Event]:
        """What the user's side says next to calls, which no message contains."""
        first, spoken = self._recording.number, []
        asked: dict[str, Any] = {"role": "assistant", "tool_calls": calls}
        if said.get("content") is None:
            asked |= {key: held for key, held in said.items() if key not in ("role", "content")}
        else:
            spoken = self._recording.take(read_chat(said, arguments))
        called = Recording().take(read_chat(asked, arguments))
        self._recording.pass_over(len(called))
        called = [
            replace(event, actor="user", cause=None if number == first else first)
            for number, event in enumerate(self._with_calls(called, asked), first + len(spoken))
        ]
        return spoken + called


def _seconds(time: Any) -> float:
    """Seconds of an ISO 8601 time; UTC unless it names a zone."""
    try:
        read = datetime.fromisoformat(time)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{time!r:.60} is not a time", field="timestamp") from error
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def arguments(source: str) -> tuple[Any, str | None]:
    """The object that a text is the JSON of; any other text unchanged, which is raw too."""
    try:
        value = parse(source.encode(), holds_raw=False)
    except FormatError:
        return source, source
    return (value, None) if isinstance(value, dict) else (source, source)


def exact(source: str) -> tuple[Any, str | None]:
    """As `arguments`; the text stays raw if the parsed ones do not give it back."""
    given, raw = arguments(source)
    return given, raw if raw is not None or dumps(given).decode() == source else source
