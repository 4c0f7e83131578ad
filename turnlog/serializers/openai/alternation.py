"""Conversations in which the sides strictly take turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.plain import dumps
from turnlog.errors import FormatError
from turnlog.serializers.openai.chat import Chat

_HELD = frozenset(("role", "content", "tool_calls", "tool_call_id", "weight"))
_SYSTEM = frozenset(("system", "developer"))
_BETWEEN = "\n\n"
"""Separates joined messages."""


class Exchange(msgspec.Struct):
    """What one side said, a question or the results of calls, and what the other answered.

    calls: ids of the calls that have these results, in order of the calls.
    """

    turn: int
    questions: list[str]
    observation: bool = False
    answer: str | None = None
    call: bool = False
    calls: list[Any] = []

    @property
    def question(self) -> str:
        """The results of calls of one message are a list."""
        one = len(self.questions) == 1
        return self.questions[0] if one else dumps(self.questions).decode()


class Alternation(msgspec.Struct):
    """A conversation as exchanges, each with an answer. lost: as in an Example."""

    system: str
    exchanges: list[Exchange]
    lost: Counter[str]


def alternation(dialogue: Dialogue, chat: Chat) -> Alternation:
    """The exchanges of a chat of text.

    Several messages of the assistant in a row are joined. What it says before the first question or
    next to a call, and messages at the end without an answer, have no place and are counted as
    lost. So is a turn with an answer of weight 0, which the format cannot mark. Raises FormatError,
    naming conversation and turn, for an earlier question without an answer.
    """
    alternating = _Alternating(chat)
    for turn, exchange in alternating.unanswered():
        why = "broken alternation: no answer before the next message"
        raise FormatError(
            why, conversation=dialogue.name, turn=turn, field=f"message {exchange.question!r:.60}"
        )
    return Alternation(alternating.system, alternating.exchanges, alternating.lost)


class _Alternating:
    """Exchanges, built from messages in order."""

    def __init__(self, chat: Chat) -> None:
        self.exchanges: list[Exchange] = []
        self.lost = Counter(chat.lost)
        self._system: list[str] = []
        self._calls: list[Any] = []
        for message, turn in _learnt(chat, self.lost):
            self.lost.update(f"{message['role']}.{key}" for key in message if key not in _HELD)
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
        elif role == "tool":
            self._observed(message, turn)
        elif role == "user":
            self.exchanges.append(Exchange(turn, [content]))
        else:
            self._answered(message, content)

    def _instructed(self, content: str) -> None:
        if self.exchanges:
            self.lost["instructions after the beginning"] += 1
        else:
            self._system.append(content)

    def _observed(self, message: dict[str, Any], turn: int) -> None:
        last = self.exchanges[-1] if self.exchanges else None
        if last is None:
            self.lost["tool answer before the first of the user"] += 1
            return
        if not last.observation or last.answer is not None:
            last = Exchange(turn, [], observation=True)
            self.exchanges.append(last)
        self._place(last, message)

    def _place(self, results: Exchange, message: dict[str, Any]) -> None:
        """Puts the result among the others, in the order of the calls."""
        call = message["tool_call_id"]
        before = self._calls[: self._calls.index(call)] if call in self._calls else results.calls
        at = sum(other in before for other in results.calls)
        results.calls.insert(at, call)
        results.questions.insert(at, message["content"])

    def _answered(self, message: dict[str, Any], content: str) -> None:
        calls = message.get("tool_calls")
        last = self.exchanges[-1] if self.exchanges else None
        if calls:
            self._calls = [call["id"] for call in calls]
        if last is None:
            self.lost["message of the assistant before the first of the user"] += 1
        elif calls:
            if content or last.answer is not None:
                self.lost["text beside a tool call"] += 1
            last.answer, last.call = _written(calls), True
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


def _learnt(chat: Chat, lost: Counter[str]) -> Iterator[tuple[dict[str, Any], int]]:
    """The messages with their turns, without the turns of answers of weight 0."""
    said = list(zip(chat.messages, chat.turns, strict=True))
    marked = {turn for message, turn in said if message.get("weight") == 0}
    lost["turn with an answer of weight 0"] += len(marked)
    for message, turn in said:
        is_system = message["role"] in _SYSTEM
        if turn not in marked or is_system:
            yield message, turn


def _written(calls: list[dict[str, Any]]) -> str:
    """One call as an object, several as a list."""
    objects = [call["function"] for call in calls]
    return dumps(objects[0] if len(objects) == 1 else objects).decode()
