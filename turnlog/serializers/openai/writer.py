"""Dialogues to OpenAI chat messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_openai import AUDIO, FUNCTION_CALL, is_held
from turnlog.domain.message_parts import Media, Opaque, Part, ToolResult
from turnlog.domain.messages import NEW_MESSAGE, Message, messages
from turnlog.domain.traits import Utterance
from turnlog.errors import FormatError
from turnlog.serializers.openai.check import faults, refuse_raw_arguments
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import refuse_raw_example
from turnlog.serializers.shared.losses import Held, lost

_TEXT = frozenset(("text", "data", "name", "extra"))
_PART = frozenset(("actor", "cause", "at"))
_HELD: Held = {
    e.SystemInstructed: frozenset(("text", "tools", "role", "name", "extra")),
    e.UserUttered: _TEXT,
    e.BotUttered: _TEXT,
    e.TextAdded: _PART | {"text"},
    e.RefusalAdded: _PART | {"text"},
    e.MediaAdded: _PART | {"kind", "mime", "uri", "sha256", "content", "filename"},
    e.OpaqueAdded: _PART | {"source", "kind", "content"},
    e.ToolCalled: frozenset(("name", "arguments", "raw", "call_id", "cause", "extra")),
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
    events = dict(dialogue.numbered())
    turn_of = {n: turn.number for turn in dialogue.turns() for n, _ in turn.numbered()}
    result = Chat([], [], {}, Counter())
    for event in events.values():
        _take_beside(event, result)
    for message in messages(events.items()):
        number = message.event or 0
        if (written := _written(message, events[number], result.lost)) is not None:
            result.messages.append(written)
            result.turns.append(turn_of[number])
    _check(dialogue, result)
    return msgspec.structs.replace(result, lost=+result.lost)


def _check(dialogue: Dialogue, chat: Chat) -> None:
    content = {"messages": chat.messages, **chat.beside}
    refuse_raw_example(Example.of(dialogue, content, chat.lost))
    refuse_raw_arguments(content, dialogue.name)
    for index, field, why in faults(content) if chat.messages else ():
        raise FormatError(why, conversation=dialogue.name, turn=chat.turns[index], field=field)


def _take_beside(event: e.Event, chat: Chat) -> None:
    """What an event says beside the messages, and what is lost of it."""
    if isinstance(event, e.ToolCalled | e.ToolReturned) and event.actor == "user":
        chat.lost[f"{type(event).__name__} of the user's side"] += 1
        return
    losses = list(lost(event, _HELD))
    if isinstance(event, e.MediaAdded) and AUDIO in (event.extra or {}):
        losses = [loss for loss in losses if loss != "MediaAdded.extra"]
    chat.lost.update(losses)
    if isinstance(event, e.SystemInstructed) and event.tools is not None:
        is_other = chat.beside.get("tools", event.tools) != event.tools
        chat.lost["tools that others replace"] += is_other
        chat.beside["tools"] = event.tools
    elif isinstance(event, e.ConversationAnnotated):
        extra = event.extra or {}
        chat.beside.update({key: extra[key] for key in _BESIDE if key in extra})
        chat.lost.update(f"ConversationAnnotated.extra.{k}" for k in extra if k not in _BESIDE)


def _written(message: Message, first: e.Event, losses: Counter[str]) -> dict[str, Any] | None:
    """The message as OpenAI has it; None where nothing of what it says can be held."""
    written = message.as_openai()
    placeless = _placeless(message)
    losses.update(
        f"{type(part).__name__} without a place in a chat message"
        for part in placeless
        if isinstance(part, Media | Opaque)
    )
    if placeless and len(placeless) == len(message.parts):
        return None
    if isinstance(first, Utterance):
        data = {key: held for key, held in (first.data or {}).items() if held is not None}
        beyond = [key for key in data if data[key] is not written["content"]]
        losses.update(f"{type(first).__name__}.data.{key}" for key in beyond)
        if beyond and not written["content"] and "tool_calls" not in written:
            return None  # an image and no text is no message here, but no fault either
    elif isinstance(first, e.ToolReturned) and message.role == "tool":
        written["role"] = (first.extra or {}).get("role", "tool")
        losses["result that is no text"] += written["content"] is not first.result
    calls = written.pop("tool_calls", None)
    written |= _members(written, first, losses)
    return written if calls is None else {**written, "tool_calls": calls}


def _placeless(message: Message) -> list[Part]:
    """The parts that the chat API has no place for."""
    if "content" in message.metadata:
        return []
    held = (ToolResult,) if message.role == "tool" else ()
    return [part for part in message.parts if not (is_held(part) or isinstance(part, held))]


def _members(written: dict[str, Any], first: e.Event, losses: Counter[str]) -> dict[str, Any]:
    """What the message keeps in `extra`, by role."""
    extra = first.extra or {}
    names = _MEMBERS.get(written["role"], ())
    losses.update(
        f"{type(first).__name__}.extra.{key}"
        for key in extra
        if key not in names and key not in written and key not in _NOT_MEMBERS
    )
    typed = written.keys() & {AUDIO, FUNCTION_CALL}
    return {name: extra[name] for name in names if name in extra and name not in typed}
