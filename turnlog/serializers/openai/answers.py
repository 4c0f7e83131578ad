"""Chats, cut where an answer begins: prompts, and their answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event
from turnlog.domain.judgements import Preference
from turnlog.domain.message_groups import side
from turnlog.serializers.openai.chat import Chat, Form, read_chat

Messages = Sequence[dict[str, Any]]


class Answered(msgspec.Struct, frozen=True):
    """A prompt and an answer to it. last_event: the number of their last event."""

    prompt: Messages
    answer: Messages
    last_event: int

    @property
    def is_learnt(self) -> bool:
        """Whether no message of it has weight 0."""
        return all(message.get("weight") != 0 for message in self.answer)


def answers(dialogue: Dialogue, chat: Chat) -> Iterator[Answered]:
    """Each answer, of one or more messages of the assistant in a row, with everything before it."""
    said, begin, numbered = chat.messages, 0, dict(dialogue.numbered())
    ends = [*(event - 1 for event in chat.events[1:]), dialogue.last_event]
    for at, message in enumerate(said):
        if message["role"] != "assistant":
            begin = at + 1
        elif begin and (at + 1 == len(said) or said[at + 1]["role"] != "assistant"):
            last = _last(numbered, chat.events[at], ends[at])
            yield Answered(said[:begin], said[begin : at + 1], last)


def _last(events: Mapping[int, Event], first: int, end: int) -> int:
    """The number of an answer's last event, of those before the next message."""
    its = (number for number in range(end, first, -1) if side(events[number]) == "assistant")
    return next(its, first)


def answered(prompt: Dialogue, answer: Sequence[Event], form: Form) -> tuple[Answered, Chat]:
    """An answer to a prompt as chat messages, and the chat of both.

    Raises FormatError as `read_chat` does.
    """
    events = (*prompt.events, *answer)
    chat = read_chat(replace(prompt, events=events), form)
    begin = sum(event <= prompt.last_event for event in chat.events)
    last = prompt.last_event + len(answer)
    return Answered(chat.messages[:begin], chat.messages[begin:], last), chat


def pair(preference: Preference, form: Form) -> tuple[Answered, Answered, Chat]:
    """The better answer, the worse one, and the chat of the better one."""
    better, chat = answered(preference.prompt, preference.chosen, form)
    worse, _ = answered(preference.prompt, preference.rejected, form)
    return better, worse, chat
