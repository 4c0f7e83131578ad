"""Chat messages of text alone, and conversations in which the sides strictly take turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.openai.writer import Chat, chat
from turnlog.serializers.shared.json_value import parse
from turnlog.serializers.shared.plain import dumps

_MEMBERS = ("role", "content", "name", "tool_calls", "tool_call_id", "weight")
_SYSTEM = frozenset(("system", "developer"))
_TOOLS = frozenset(("tool", "function"))
_BETWEEN = "\n\n"
"""Stands between messages that are joined."""


def text_chat(dialogue: Dialogue) -> Chat:
    """The dialogue's messages with texts as contents; other parts are counted as lost."""
    full = chat(dialogue)
    lost = Counter(full.lost)
    messages = [_text_only(message, lost) for message in full.messages]
    lost.update(key for key in full.beside if key != "tools")
    tools = full.beside.get("tools")
    return replace(full, messages=messages, beside={"tools": tools} if tools else {}, lost=lost)


def _text_only(message: dict[str, Any], lost: Counter[str]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, list):
        texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
        lost.update(f"content of type {p['type']}" for p in content if p["type"] != "text")
        content = "\n".join(texts)
    lost.update(f"{message['role']}.{key}" for key in message if key not in _MEMBERS)
    held = {key: message[key] for key in _MEMBERS if message.get(key) is not None}
    return {**held, "content": content}


def tools_text(chat: Chat) -> str | None:
    """The tools as JSON text; readers that want one type a column cannot take them otherwise."""
    tools = chat.beside.get("tools")
    return dumps(tools).decode() if tools else None


class Exchange(msgspec.Struct):
    """What one side said, a question or the results of calls, and what the other answered."""

    turn: int
    questions: list[str]
    observation: bool = False
    answer: str | None = None
    call: bool = False

    @property
    def question(self) -> str:
        """The results of calls that were made at once are a list."""
        one = len(self.questions) == 1
        return self.questions[0] if one else dumps(self.questions).decode()


class Alternation(msgspec.Struct):
    """A conversation as exchanges, each with an answer. lost: as in an Example."""

    system: str
    exchanges: list[Exchange]
    lost: Counter[str]


def alternation(dialogue: Dialogue, chat: Chat) -> Alternation:
    """The exchanges of a chat of text.

    What the assistant says in several messages is joined; what it says before anybody asked, or
    beside a call, and what is not answered at the end have no place and are counted as lost.
    Raises FormatError, naming conversation and turn, where a question in between has no answer.
    """
    alternating = _Alternating(chat)
    for turn, exchange in alternating.unanswered():
        why = "broken alternation: nobody answers it before the next message"
        raise FormatError(
            why, conversation=dialogue.name, turn=turn, field=f"message {exchange.question!r:.60}"
        )
    return Alternation(alternating.system, alternating.exchanges, alternating.lost)


class _Alternating:
    """Exchanges in order, as messages come."""

    def __init__(self, chat: Chat) -> None:
        self.exchanges: list[Exchange] = []
        self.lost = Counter(chat.lost)
        self._system: list[str] = []
        for message, turn in zip(chat.messages, chat.turns, strict=True):
            self._take(message, turn)
        self._end()

    @property
    def system(self) -> str:
        return _BETWEEN.join(self._system)

    def unanswered(self) -> Iterator[tuple[int, Exchange]]:
        return ((one.turn, one) for one in self.exchanges if one.answer is None)

    def _take(self, message: dict[str, Any], turn: int) -> None:
        role, content = message["role"], message["content"] or ""
        if role in _SYSTEM:
            self._instructed(content)
        elif role in _TOOLS:
            self._observed(content, turn)
        elif role == "user":
            self.exchanges.append(Exchange(turn, [content]))
        else:
            self._answered(message, content)

    def _instructed(self, content: str) -> None:
        if self.exchanges:
            self.lost["instructions after the beginning"] += 1
        else:
            self._system.append(content)

    def _observed(self, content: str, turn: int) -> None:
        last = self.exchanges[-1] if self.exchanges else None
        if last is None:
            self.lost["tool answer before the first of the user"] += 1
        elif last.observation and last.answer is None:
            last.questions.append(content)
        else:
            self.exchanges.append(Exchange(turn, [content], observation=True))

    def _answered(self, message: dict[str, Any], content: str) -> None:
        calls = message.get("tool_calls")
        last = self.exchanges[-1] if self.exchanges else None
        if last is None:
            self.lost["message of the assistant before the first of the user"] += 1
        elif calls:
            if content or last.answer is not None:
                self.lost["text beside a tool call"] += 1
            last.answer, last.call = _calls(calls), True
        elif last.answer is None:
            last.answer = content
        else:
            self.lost["message joined to the one before"] += 1
            last.answer += _BETWEEN + content

    def _end(self) -> None:
        while self.exchanges and self.exchanges[-1].answer is None:
            last = self.exchanges.pop()
            what = "tool answer" if last.observation else "message of the user"
            self.lost[f"{what} at the end without an answer"] += 1


def _calls(calls: list[dict[str, Any]]) -> str:
    """One call as an object, several as a list."""
    objects = [
        {
            "name": call["function"]["name"],
            "arguments": parse(call["function"]["arguments"].encode()),
        }
        for call in calls
    ]
    return dumps(objects[0] if len(objects) == 1 else objects).decode()
