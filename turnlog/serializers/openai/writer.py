"""Dialogues to OpenAI chat messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_openai import AUDIO, FUNCTION_CALL, is_held
from turnlog.domain.message_parts import Media, Opaque, Part, ToolResult
from turnlog.domain.messages import NEW_MESSAGE, Message
from turnlog.domain.traits import Utterance
from turnlog.serializers.openai.chat import HELD, Chat, Form, read_chat
from turnlog.serializers.openai.parts import MEDIA, THOUGHTS, kind_of, why_not
from turnlog.serializers.shared.codec import Example

_MEMBERS = {
    "system": ("name",),
    "developer": ("name",),
    "user": ("name",),
    "assistant": ("name", "weight", "refusal", "audio", "function_call"),
    "tool": (),
    "function": (),
}
"""Members of a message, by role, that are stored in `extra` and written again."""

_NOT_MEMBERS = frozenset(("role", "content", NEW_MESSAGE))
_TEXTS = frozenset((None, "input_text", "output_text"))


def example(dialogue: Dialogue, *, ids: bool = True, trim: bool = False) -> Iterator[Example]:
    """The dialogue's messages; empty without any. Raises FormatError as `chat` does."""
    result = chat(dialogue, trim=trim)
    if result.messages:
        content: dict[str, Any] = {"id": dialogue.name} if ids else {}
        content |= result.content
        yield Example.of(dialogue, content, result.lost, result.noted)


def chat(dialogue: Dialogue, *, trim: bool = False) -> Chat:
    """The dialogue's messages in OpenAI's form; see `read_chat`."""
    return read_chat(dialogue, FORM, trim=trim)


def _written(message: Message, first: e.Event, lost: Counter[str]) -> dict[str, Any] | None:
    """The message in OpenAI's form; None if it can hold nothing of it."""
    written = message.as_openai()
    if only_placeless(message, lost):
        return None
    if isinstance(written["content"], list):
        written["content"] = _accepted(written["role"], written["content"], lost)
    if isinstance(first, Utterance):
        if data_alone(first, written, lost):
            return None
    elif isinstance(first, e.ToolReturned) and message.role == "tool":
        written["role"] = (first.extra or {}).get("role", "tool")
        lost["result that is not a text"] += written["content"] is not first.result
    calls = written.pop("tool_calls", None)
    if calls or FUNCTION_CALL in written:
        _give_arguments(written, calls or ())
    written |= _members(written, first, lost)
    return written if calls is None else {**written, "tool_calls": calls}


def only_placeless(message: Message, lost: Counter[str]) -> bool:
    """Whether the chat API can hold nothing of the message; counts what it cannot hold."""
    placeless = _placeless(message)
    lost.update(
        f"{type(part).__name__} without a place in a chat message"
        for part in placeless
        if isinstance(part, Media | Opaque)
    )
    return bool(placeless) and len(placeless) == len(message.parts)


def _placeless(message: Message) -> list[Part]:
    """The parts that the chat API has no place for."""
    if "content" in message.metadata:
        return []
    held = (ToolResult,) if message.role == "tool" else ()
    return [part for part in message.parts if not (is_held(part) or isinstance(part, held))]


def data_alone(first: Utterance, written: dict[str, Any], lost: Counter[str]) -> bool:
    """Whether an utterance has nothing but data beyond its content, which is counted.

    An image without text is not a message here, but not a fault either.
    """
    data = {key: held for key, held in (first.data or {}).items() if held is not None}
    beyond = [key for key in data if key != "content" or not isinstance(data[key], list)]
    lost.update(f"{type(first).__name__}.data.{key}" for key in beyond)
    return bool(beyond and not written["content"] and "tool_calls" not in written)


def _accepted(role: str, content: list[Any], lost: Counter[str]) -> list[Any] | None:
    """The parts that the API takes from that role; unknown ones are left for the checks.

    Reasoning, and parts that a message of another side cannot show, are omitted and counted.
    """
    if not any(why_not(role, part) for part in content):
        return content or None
    kept = []
    for part in content:
        kind = kind_of(part)
        if why_not(role, part) is None:
            kept.append(part)
        elif kind in _TEXTS and isinstance(part.get("text"), str):
            kept.append({"type": "text", "text": part["text"]})
        elif kind in THOUGHTS or (kind in MEDIA and role != "user"):
            lost[f"content of type {kind}"] += 1
        else:
            kept.append(part)
    return kept or None


def _give_arguments(written: dict[str, Any], calls: Iterable[dict[str, Any]]) -> None:
    """An empty object if a model that gave no arguments wrote nothing at all."""
    functions = [call["function"] for call in calls]
    for function in (*functions, written.get(FUNCTION_CALL)):
        if function is not None and not function["arguments"].strip():
            function["arguments"] = "{}"


def _members(written: dict[str, Any], first: e.Event, lost: Counter[str]) -> dict[str, Any]:
    """The members of the message that `extra` stores, by role."""
    extra = first.extra or {}
    names = _MEMBERS.get(written["role"], ())
    lost.update(
        f"{type(first).__name__}.extra.{key}"
        for key in extra
        if key not in names and key not in written and key not in _NOT_MEMBERS
    )
    typed = written.keys() & {AUDIO, FUNCTION_CALL}
    return {name: extra[name] for name in names if name in extra and name not in typed}


FORM = Form(_written, HELD, ("parallel_tool_calls",))
"""OpenAI's own form: media and refusals have a place, reasoning has none."""
