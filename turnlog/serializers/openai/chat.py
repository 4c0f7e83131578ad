"""Dialogues to chat messages, in one form or another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_openai import AUDIO
from turnlog.domain.messages import Message, messages
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
    """How a format writes messages. held: of events; what else they say is counted as lost.

    message: of a message and the first of its events; None where nothing of it can be held, or a
    message that the checks refuse. It counts what it leaves out. beside: what may stand beside the
    messages, besides tools.
    """

    message: Callable[[Message, e.Event, Counter[str]], dict[str, Any] | None]
    held: Held
    beside: tuple[str, ...] = ()


class Chat(msgspec.Struct, frozen=True):
    """A dialogue as chat messages. turns: the turn of each message. events: the number of the first
    event of each. lost: as in an Example. cut: roles of the messages that were cut off at the end.

    beside: the members that stand beside the messages, such as tools.
    """

    messages: list[dict[str, Any]]
    turns: list[int]
    events: list[int]
    beside: dict[str, Any]
    lost: Counter[str]
    cut: list[str] = []

    @property
    def content(self) -> dict[str, Any]:
        return {"messages": self.messages, **self.beside}

    @property
    def noted(self) -> dict[str, int]:
        """What whoever trains on it should know, though nothing is lost."""
        found = Counter(f"message of the role {role} cut off at the end" for role in self.cut)
        role = self.messages[-1]["role"] if self.messages else "assistant"
        if role != "assistant":
            found[f"conversation that ends with a message of the role {role}; see --trim"] = 1
        if "tools" not in self.beside and any("tool_calls" in one for one in self.messages):
            found["conversation with calls and without the tools that could be called"] = 1
        return found


def read_chat(dialogue: Dialogue, form: Form, *, trim: bool = False) -> Chat:
    """The dialogue's messages, none where it has none. trim: up to the last answer.

    Raises FormatError, naming conversation, turn and message, for messages that a model must not
    be trained on.
    """
    events = dict(dialogue.numbered())
    turn_of = {n: turn.number for turn in dialogue.turns() for n, _ in turn.numbered()}
    result = Chat([], [], [], {}, Counter())
    for event in events.values():
        _take_beside(event, result, form)
    for message in messages(events.items()):
        number = message.event or 0
        if (written := form.message(message, events[number], result.lost)) is not None:
            result.messages.append(written)
            result.turns.append(turn_of[number])
            result.events.append(number)
    if trim:
        trim_to_last_answer(result)
    check(dialogue.name, result)
    return replace(result, lost=+result.lost)


def trim_to_last_answer(chat: Chat) -> None:
    """Take away what comes after the assistant's last message; nothing where it says nothing."""
    last = max(
        (at for at, one in enumerate(chat.messages) if one["role"] == "assistant"), default=None
    )
    while last is not None and len(chat.messages) > last + 1:
        chat.cut.append(chat.messages.pop()["role"])
        chat.turns.pop()
        chat.events.pop()


def check(name: str, chat: Chat) -> None:
    """Raise FormatError for the first thing in a conversation of that name that is at fault."""
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


def _take_beside(event: e.Event, chat: Chat, form: Form) -> None:
    """What an event says beside the messages, and what is lost of it."""
    if isinstance(event, e.ToolCalled | e.ToolReturned) and event.actor == "user":
        chat.lost[f"{type(event).__name__} of the user's side"] += 1
        return
    losses: Iterable[str] = lost(event, form.held)
    if isinstance(event, e.MediaAdded) and AUDIO in (event.extra or {}):
        losses = (loss for loss in losses if loss != "MediaAdded.extra")
    for loss in losses:  # which costs less than an update, where there mostly is none
        chat.lost[loss] += 1
    if isinstance(event, e.SystemInstructed) and event.tools is not None:
        is_other = chat.beside.get("tools", event.tools) != event.tools
        chat.lost["tools that others replace"] += is_other
        chat.beside["tools"] = event.tools
    elif isinstance(event, e.ConversationAnnotated):
        extra, held = event.extra or {}, form.beside
        chat.beside.update({key: extra[key] for key in held if key in extra})
        chat.lost.update(f"ConversationAnnotated.extra.{k}" for k in extra if k not in held)
