"""Dialogues to OpenAI chat messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from turnlog.domain import events as e
from turnlog.domain.conversation import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.openai.check import faults, refuse_raw_arguments
from turnlog.serializers.openai.messages import NEW_MESSAGE
from turnlog.serializers.plain import dumps
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import refuse_raw_example
from turnlog.serializers.shared.losses import Held, lost

_TEXT = frozenset(("text", "data", "extra"))
_HELD: Held = {
    e.SystemInstructed: frozenset(("text", "tools", "extra")),
    e.UserUttered: _TEXT,
    e.BotUttered: _TEXT,
    e.ToolCalled: frozenset(("name", "arguments", "call_id", "cause", "extra")),
    e.ToolReturned: frozenset(("result", "call_id", "name", "extra")),
    e.ConversationAnnotated: frozenset(("extra",)),
}
_MEMBERS = {
    "system": ("name",),
    "developer": ("name",),
    "user": ("name",),
    "assistant": ("name", "weight", "refusal", "audio", "function_call"),
    "tool": (),
    "function": (),
}
"""Members of a message, by role, that are kept in `extra` and written again."""

_BESIDE = ("parallel_tool_calls",)
"""Members beside the messages that are written again."""

_NOT_MEMBERS = frozenset(("role", "content", NEW_MESSAGE))


class Chat(msgspec.Struct, frozen=True):
    """A dialogue as chat messages. turns: the turn of each message. lost: as in an Example.

    beside: the members that stand beside the messages, such as tools.
    """

    messages: list[dict[str, Any]]
    turns: list[int]
    beside: dict[str, Any]
    lost: Counter[str]


def example(dialogue: Dialogue, *, ids: bool = True) -> Iterator[Example]:
    """The dialogue's messages; nothing where it has none. Raises FormatError as `chat` does."""
    result = chat(dialogue)
    if result.messages:
        content: dict[str, Any] = {"id": dialogue.name} if ids else {}
        content |= {"messages": result.messages, **result.beside}
        yield Example.of(dialogue, content, result.lost)


def chat(dialogue: Dialogue) -> Chat:
    """The dialogue's messages, none where it has none.

    Raises FormatError, naming conversation, turn and message, for messages that a model must not
    be trained on.
    """
    writer = _MessageWriter()
    for number, event in enumerate(dialogue.events, dialogue.first_event):
        writer.take(number, event)
    turns = [dialogue.first_turn + turn for turn in writer.turns]
    result = Chat(writer.messages, turns, writer.beside, +writer.lost)
    content = {"messages": result.messages, **result.beside}
    refuse_raw_example(Example.of(dialogue, content, result.lost))
    refuse_raw_arguments(content, dialogue.name)
    for index, field, why in faults(content) if result.messages else ():
        raise FormatError(why, conversation=dialogue.name, turn=turns[index], field=field)
    return result


class _MessageWriter:
    """Messages in order. turns: the turn of each. `start` numbers the events of the latest one."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.turns: list[int] = []
        self.beside: dict[str, Any] = {}
        self.lost: Counter[str] = Counter()
        self.turn = 0
        self.start = 0
        self.call: e.ToolCalled | None = None
        self.open: list[str] = []

    def take(self, number: int, event: e.Event) -> None:
        self.turn += isinstance(event, e.UserUttered)
        if isinstance(event, e.ToolCalled | e.ToolReturned) and event.actor == "user":
            self.lost[f"{type(event).__name__} of the user's side"] += 1
            return
        self.lost.update(lost(event, _HELD))
        write = _WRITE.get(type(event))
        if write is not None:
            write(self, number, event)

    def add(self, number: int, event: e.Event, message: dict[str, Any]) -> None:
        extra = event.extra or {}
        members = _MEMBERS.get(message["role"], ())
        message |= {key: extra[key] for key in members if key in extra}
        self.lost.update(
            f"{type(event).__name__}.extra.{key}"
            for key in extra
            if key not in message and key not in _NOT_MEMBERS
        )
        self.messages.append(message)
        self.turns.append(self.turn)
        self.start, self.call = number, None

    def instructed(self, number: int, event: e.SystemInstructed) -> None:
        if event.tools is not None:
            self.lost["tools that others replace"] += (
                self.beside.get("tools", event.tools) != event.tools
            )
            self.beside["tools"] = event.tools
        if event.tools is None or event.text is not None:
            extra = event.extra or {}
            role = str(extra.get("role", "system"))
            content = extra.get("content", event.text)
            self.add(number, event, {"role": role, "content": content})

    def said(self, number: int, event: e.UserUttered | e.BotUttered | e.AgentUttered) -> None:
        role = "user" if isinstance(event, e.UserUttered) else "assistant"
        data = {key: held for key, held in (event.data or {}).items() if held is not None}
        parts = data.get("content")
        content = parts if isinstance(parts, list) else event.text
        lost = [f"{type(event).__name__}.data.{key}" for key in data if data[key] is not content]
        self.lost.update(lost)
        if content or not lost:  # an image and no text is no message here, but no fault either
            self.add(number, event, {"role": role, "content": content})

    def called(self, number: int, event: e.ToolCalled) -> None:
        if not self._joins(event):
            self.add(number, event, {"role": "assistant", "content": None})
        call_id = event.call_id if event.call_id is not None else f"call_{number}"
        arguments = event.arguments
        text = (
            arguments
            if isinstance(arguments, str)
            else dumps({} if arguments is None else arguments).decode()
        )
        function = {"name": event.name, "arguments": text}
        call = {"id": call_id, "type": "function", "function": function}
        self.messages[-1].setdefault("tool_calls", []).append(call)
        self.open.append(call_id)
        self.call = event

    def _joins(self, event: e.ToolCalled) -> bool:
        """Whether the call belongs to the message before it."""
        if not self.messages or self.messages[-1]["role"] != "assistant":
            return False
        if event.cause is not None and event.cause == self.start:
            return True
        before = self.call
        apart = event.extra is not None and NEW_MESSAGE in event.extra
        return before is not None and before.cause == event.cause and not apart

    def returned(self, number: int, event: e.ToolReturned) -> None:
        call_id = event.call_id
        if call_id is None and self.open:
            call_id = self.open[0]
        if call_id in self.open:
            self.open.remove(call_id)
        role = (event.extra or {}).get("role", "tool")
        message = {"role": role, "tool_call_id": call_id, "name": event.name}
        message = {key: held for key, held in message.items() if held is not None}
        content = _result(event.result)
        self.lost["result that is no text"] += content is not event.result
        self.add(number, event, {**message, "content": content})

    def annotated(self, number: int, event: e.ConversationAnnotated) -> None:
        extra = event.extra or {}
        self.beside |= {key: extra[key] for key in _BESIDE if key in extra}
        self.lost.update(f"ConversationAnnotated.extra.{k}" for k in extra if k not in _BESIDE)


def _result(result: Any) -> Any:
    """A tool's answer as a content: text, parts, or JSON."""
    if isinstance(result, str) or _are_parts(result):
        return result
    return dumps(result).decode()


def _are_parts(result: Any) -> bool:
    return isinstance(result, Sequence) and all(
        isinstance(part, dict) and part.get("type") == "text" for part in result
    )


_WRITE: dict[type[e.Event], Callable[[_MessageWriter, int, Any], None]] = {
    e.SystemInstructed: _MessageWriter.instructed,
    e.UserUttered: _MessageWriter.said,
    e.BotUttered: _MessageWriter.said,
    e.AgentUttered: _MessageWriter.said,
    e.ToolCalled: _MessageWriter.called,
    e.ToolReturned: _MessageWriter.returned,
    e.ConversationAnnotated: _MessageWriter.annotated,
}
