"""Dialogues to chat messages, in several forms."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_groups import Group, groups
from turnlog.domain.message_openai import AUDIO
from turnlog.domain.messages import Message, Waiting, message_of
from turnlog.domain.plain import displayable
from turnlog.domain.traits import Utterance, opens_turn
from turnlog.domain.values import RawJson
from turnlog.errors import FormatError
from turnlog.serializers.openai.check import faults, refuse_raw_arguments
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import refuse_raw_example
from turnlog.serializers.shared.json_value import Unholdable
from turnlog.serializers.shared.losses import Held, lost

_TEXT = frozenset(("text", "data", "name", "extra"))
_PART = frozenset(("actor", "cause", "at"))
HELD: Held = {
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
"""The fields of events that chat messages have a place for."""

_MESSAGE = re.compile(r"messages\[([0-9]+)\]")

HELD_WITH_REASONING: Held = {**HELD, e.ReasoningAdded: _PART | {"text"}}


class Form(msgspec.Struct, frozen=True):
    """How a format writes messages. held: fields of events; the others are counted as lost.

    message: writes a message, given its first event; None if it can hold nothing of it, or a
    message that the checks refuse. It counts what it omits. beside: further members next to the
    messages, besides tools.
    """

    message: Callable[[Message, e.Event, Counter[str]], dict[str, Any] | None]
    held: Held
    beside: tuple[str, ...] = ()


class Chat(msgspec.Struct, frozen=True):
    """A dialogue as chat messages. turns: the turn of each message. events: the number of the first
    event of each. lost: as in an Example. cut: roles of the messages that were cut off at the end.

    beside: the members next to the messages, such as tools.
    """

    messages: list[dict[str, Any]]
    turns: list[int]
    events: list[int]
    beside: dict[str, Any]
    lost: Counter[str]
    cut: list[str] = []

    @property
    def content(self) -> dict[str, Any]:
        """The chat as one object."""
        return {"messages": self.messages, **self.beside}

    @property
    def noted(self) -> dict[str, int]:
        """What anyone who trains on it should know, although nothing is lost."""
        found = Counter(f"message of the role {role} cut off at the end" for role in self.cut)
        role = self.messages[-1]["role"] if self.messages else "assistant"
        if role != "assistant":
            found[f"conversation that ends with a message of the role {role}; see --trim"] = 1
        if "tools" not in self.beside and any("tool_calls" in one for one in self.messages):
            found["conversation with calls and without the tools that could be called"] = 1
        return found


def read_chat(dialogue: Dialogue, form: Form, *, trim: bool = False) -> Chat:
    """The dialogue's messages, empty without any. trim: up to the last answer.

    Raises FormatError, naming conversation, turn and message, for messages that a model must not be
    trained on.
    """
    result = Chat([], [], [], {}, _lost(dialogue.events, form))
    for event in dialogue.events:
        if type(event) in _BESIDE:
            _take_beside(event, result, form)
    opening = [number for number, event in dialogue.numbered() if opens_turn(event)]
    waiting = Waiting()
    for group in groups(dialogue.numbered()):
        number, first = group.members[0]
        _refuse_half_characters(first, dialogue, len(result.messages))
        turn = dialogue.first_turn + bisect_right(opening, number)
        _refuse_custom_calls(group, dialogue.name, turn, len(result.messages))
        written = _words(group) or form.message(message_of(group, waiting), first, result.lost)
        if written is not None:
            result.messages.append(written)
            result.turns.append(turn)
            result.events.append(number)
    if trim:
        trim_to_last_answer(result)
    check(dialogue.name, result)
    return replace(result, lost=+result.lost)


def _refuse_half_characters(first: e.Event, dialogue: Dialogue, index: int) -> None:
    """Raise Unholdable for a text that is stored as it came beside one that can be read."""
    raw = (first.extra or {}).get("text")
    if isinstance(raw, RawJson) and displayable(raw) == getattr(first, "text", None):
        raise Unholdable(raw, conversation=dialogue.name, field=f"messages[{index}].content")


def _refuse_custom_calls(group: Group, name: str, turn: int, index: int) -> None:
    """Raise FormatError for a call whose input is a text in any form."""
    for _, event in group.members:
        if not isinstance(event, e.ToolCalled) or isinstance(event.arguments, dict):
            continue
        if (event.extra or {}).get("type") == "custom":
            why = f"{event.name!r} is a custom tool, which takes a text instead of a JSON object"
            field = f"messages[{index}].tool_calls"
            raise FormatError(why, conversation=name, turn=turn, field=field)


def trim_to_last_answer(chat: Chat) -> None:
    """Removes what follows the assistant's last message; everything if it says nothing."""
    last = max(
        (at for at, one in enumerate(chat.messages) if one["role"] == "assistant"), default=None
    )
    while last is not None and len(chat.messages) > last + 1:
        chat.cut.append(chat.messages.pop()["role"])
        chat.turns.pop()
        chat.events.pop()


def check(name: str, chat: Chat) -> None:
    """Raises FormatError for the first fault in the chat of the conversation with that name."""
    content = chat.content
    try:
        refuse_raw_example(Example(name, 1, 1, content))
        refuse_raw_arguments(content, name)
    except Unholdable as error:
        if at := _MESSAGE.match(error.field or ""):
            error.turn = chat.turns[int(at[1])]
        raise
    for index, field, why in faults(content) if chat.messages else ():
        raise FormatError(why, conversation=name, turn=chat.turns[index], field=field)


def _words(group: Group) -> dict[str, Any] | None:
    """The message in any form if it is one event's text and nothing else."""
    (_, first), *others = group.members
    if others or not isinstance(first, Utterance) or first.text is None:
        return None
    has_more = first.name is not None or first.data or first.extra
    return None if has_more else {"role": group.side, "content": first.text}


def _lost(events: Iterable[e.Event], form: Form) -> Counter[str]:
    others, of_user = without_users_calls(events)
    losses = of_user + lost(others, form.held)
    sounds = [x for x in others if type(x) is e.MediaAdded and AUDIO in (x.extra or {})]
    losses["MediaAdded.extra"] -= len(sounds)
    return losses


def without_users_calls(events: Iterable[e.Event]) -> tuple[list[e.Event], Counter[str]]:
    """The events without the calls of the user's side and their results; and how many those are."""
    others: list[e.Event] = []
    of_user: Counter[str] = Counter()
    for event in events:
        if type(event) in _CALLS and event.actor == "user":
            of_user[f"{type(event).__name__} of the user's side"] += 1
        else:
            others.append(event)
    return others, of_user


_CALLS = frozenset((e.ToolCalled, e.ToolReturned))
_BESIDE = frozenset((e.SystemInstructed, e.ConversationAnnotated))


def _take_beside(event: e.Event, chat: Chat, form: Form) -> None:
    """The part of an event that goes next to the messages."""
    if isinstance(event, e.SystemInstructed) and event.tools is not None:
        is_other = chat.beside.get("tools", event.tools) != event.tools
        chat.lost["tools that others replace"] += is_other
        chat.beside["tools"] = event.tools
        if not event.tools and chat.lost["tools that others replace"]:
            del chat.beside["tools"]
    elif isinstance(event, e.ConversationAnnotated):
        extra, held = event.extra or {}, form.beside
        chat.beside.update({key: extra[key] for key in held if key in extra})
        chat.lost.update(f"ConversationAnnotated.extra.{k}" for k in extra if k not in held)
