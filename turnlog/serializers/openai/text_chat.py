"""Chat messages as chat templates read them: contents are texts, arguments objects."""

from __future__ import annotations

from collections import Counter
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_openai import AUDIO, FUNCTION_CALL
from turnlog.domain.message_parts import Media, Reasoning, Refusal, Text, ToolCall, ToolResult
from turnlog.domain.messages import NEW_MESSAGE, Message
from turnlog.domain.plain import dumps
from turnlog.domain.traits import Utterance
from turnlog.errors import FormatError
from turnlog.serializers.openai.chat import HELD_WITH_REASONING, Chat, Form, read_chat
from turnlog.serializers.openai.parts import MEDIA, THOUGHTS, kind_of
from turnlog.serializers.openai.writer import data_alone, only_placeless
from turnlog.serializers.shared.json_value import parse

_REASONING = ("reasoning", "thinking")
"""Other interfaces' names of `reasoning_content`; templates receive it under all three names."""

_KNOWN = MEDIA | THOUGHTS | {None, "text", "input_text", "output_text", "refusal"}
_READ = frozenset(
    ("role", "content", "name", "error", "refusal", NEW_MESSAGE, FUNCTION_CALL, *_REASONING)
)


def text_chat(dialogue: Dialogue, *, trim: bool = False) -> Chat:
    """The dialogue's messages with texts as contents; other parts are counted as lost.

    Raises FormatError as `read_chat` does.
    """
    return read_chat(dialogue, FORM, trim=trim)


def text_message(message: Message, first: e.Event, lost: Counter[str]) -> dict[str, Any] | None:
    """The message in texts; None if a chat can hold nothing of it.

    A message that shows something and says nothing has no content, which the checks refuse.
    """
    if message.role == "tool":
        return _result(message, first, lost)
    shows = any(isinstance(part, Media) for part in message.parts)
    if only_placeless(message, lost) and not shows:
        lost["thoughts without an answer"] += any(isinstance(p, Reasoning) for p in message.parts)
        return None
    written: dict[str, Any] = {"role": message.role, "content": _content(message, lost)}
    if message.name is not None:
        written["name"] = message.name
    if message.role == "assistant":
        written |= _of_the_assistant(message)
    if isinstance(first, Utterance) and data_alone(first, written, lost):
        return None
    _count_members(message, first, written, lost)
    return written


def _content(message: Message, lost: Counter[str]) -> str | list[Any] | None:
    """The words, refusals included; a list of the unknown parts, if there are any."""
    source = _source(message)
    kinds = [kind_of(part) for part in source]
    if unknown := [part for part, kind in zip(source, kinds, strict=True) if kind not in _KNOWN]:
        return unknown
    lost.update(f"content of type {kind}" for kind in kinds if kind in MEDIA)
    if not source:
        shown = (part.kind for part in message.parts if isinstance(part, Media))
        lost.update(f"content of type {kind}" for kind in shown)
    texts = [part.text for part in message.parts if isinstance(part, Text | Refusal)]
    return "".join(texts) if texts else _transcript(message)


def _source(message: Message) -> list[Any]:
    """The parts as OpenAI's API had them; only a list counts as parts."""
    held = message.metadata.get("content", [])
    return held if isinstance(held, list) else [held]


def _transcript(message: Message) -> str | None:
    """The transcript of a spoken answer."""
    audio = message.metadata.get(AUDIO)
    said = audio.get("transcript") if isinstance(audio, dict) else None
    return said if isinstance(said, str) else None


def _of_the_assistant(message: Message) -> dict[str, Any]:
    held: dict[str, Any] = {}
    if thought := _thought(message):
        held["reasoning_content"] = thought
    calls = [p for p in message.parts if isinstance(p, ToolCall) and not p.server]
    if calls:
        held["tool_calls"] = [_call(call) for call in calls]
    called = message.metadata.get(FUNCTION_CALL, {})
    if not isinstance(called, dict) or "name" in called:
        held[FUNCTION_CALL] = called  # in an unreadable form: the checks refuse it
    if (weight := message.metadata.get("weight")) is not None:
        held["weight"] = weight
    return held


def _thought(message: Message) -> str:
    """A model's reasoning, wherever an interface puts it."""
    thoughts = [part.text for part in message.parts if isinstance(part, Reasoning) and part.text]
    beside = (message.metadata.get(name) for name in _REASONING)
    among = (part.get("thinking") for part in _source(message) if isinstance(part, dict))
    return "".join(thoughts or [each for each in (*beside, *among) if isinstance(each, str)])


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call_arguments(call)}
    return {"id": call.id, "type": "function", "function": function}


def call_arguments(call: ToolCall) -> Any:
    """The object that a call received; anything else unchanged."""
    given = call.arguments
    if call.raw is not None and isinstance(given, str | None):
        return _parsed(call.raw)
    return {} if given is None else given


def _parsed(source: str) -> Any:
    """The object that a text says, even if no event can hold it; else the text."""
    try:
        value = parse(source.encode()) if source.strip() else {}
    except FormatError:
        return source
    return source if value is None else value


def _result(message: Message, first: e.Event, lost: Counter[str]) -> dict[str, Any]:
    result = next(part for part in message.parts if isinstance(part, ToolResult))
    written = {"role": "tool", "tool_call_id": result.call_id, "name": result.name}
    held = {name: value for name, value in written.items() if value is not None}
    content, is_text = _result_text(result.content)
    lost["result that is not a text"] += not is_text
    held["content"] = content
    _count_members(message, first, held, lost)
    return held


def _result_text(content: Any) -> tuple[str, bool]:
    """A result as text, and whether it was one."""
    if isinstance(content, str):
        return content, True
    if isinstance(content, list) and content:
        texts = [p.get("text") for p in content if isinstance(p, dict) and p.get("type") == "text"]
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "".join(map(str, texts)), True
    return dumps(content).decode(), False


def _count_members(
    message: Message, first: e.Event, written: dict[str, Any], lost: Counter[str]
) -> None:
    """Counts the members of the message that are written nowhere."""
    lost.update(
        f"{type(first).__name__}.extra.{key}"
        for key in message.metadata
        if key not in _READ and key not in written
    )


def tools_text(chat: Chat) -> str | None:
    """The tools as JSON text, for formats that have no other place for them."""
    tools = chat.beside.get("tools")
    return dumps(tools).decode() if tools else None


FORM = Form(text_message, HELD_WITH_REASONING)
"""Texts only, with the model's reasoning and the tools that it called."""
