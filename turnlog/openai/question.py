"""A question to a model, and the part of it that the conversation does not contain yet."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

from msgspec.structs import replace

from turnlog.domain.message import Message
from turnlog.domain.message_equality import flattened
from turnlog.domain.message_openai import FUNCTION_CALL
from turnlog.domain.message_parts import Media, Opaque, Part, Reasoning, ToolCall, ToolResult
from turnlog.domain.plain import dumps

_INSTRUCTING = ("system", "developer")


class Question(NamedTuple):
    """A request to a model. is_whole: whether the messages are all that the model gets, not only
    new ones.
    """

    messages: Sequence[Message]
    tools: list[Any] | None = None
    is_whole: bool = True


class News(NamedTuple):
    """What to record of a question.

    instead: the first message of the conversation that the question replaces; None if it continues
    from the last one.
    """

    messages: list[Message]
    instead: Message | None = None


def news(question: Question, recorded: Sequence[Message]) -> News:
    """The part of a question that the conversation does not contain yet. recorded: its messages
    that count.

    The client may send the whole conversation, its end (a window) or its beginning (to request an
    answer again). If it sends none of these, what follows its last answer is new. What others said
    meanwhile may be in it or not, and is never retracted.
    """
    instructions = _new_instructions(question.messages, recorded)
    said = [message for message in question.messages if message.role not in _INSTRUCTING]
    before = _Stored([message for message in recorded if message.role not in _INSTRUCTING])
    sent = _Compared(said)
    known = sent.longest(before.ends_with)
    if known or not question.is_whole:
        return News([*instructions, *said[known:]])
    known = sent.longest(before.begins_with)
    # a single message may come from a client that sends no history and repeats itself
    if not known or (len(said) == 1 and before.own > 2):
        known = _after_last_answer(said) if before.messages else 0
        return News([*instructions, *said[known:]])
    instead = before.after(sent.parts[: sent.ends[known - 1]])
    if instead is None:
        known = max(known, _after_last_answer(said))
    return News([*instructions, *said[known:]], instead)


class _Compared:
    """Messages in a form for comparison. ends: the number of parts up to each message's end."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        each = [_parts((message,)) for message in messages]
        self.parts = list(chain.from_iterable(each))
        self.ends = list(accumulate(map(len, each)))

    def longest(self, fits: Callable[[list[bytes]], bool]) -> int:
        """The largest number of first messages that fit."""
        for count in range(len(self.ends), 0, -1):
            size = self.ends[count - 1]
            if size and fits(self.parts[:size]):
                return count
        return 0


class _Stored(_Compared):
    """The stored messages of a conversation, in which others may have spoken without the client.

    own: how many of the messages come from the client or its model.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        super().__init__(messages)
        self._others = list(_of_others(messages))
        self.own = self._others.count(False)
        places = [bisect_right(self.ends, part) for part in range(len(self.parts))]
        self._passable = [self._others[place] for place in places]

    def ends_with(self, parts: list[bytes]) -> bool:
        backwards = (self.parts[::-1], self._passable[::-1], parts[::-1])
        return _matched(*backwards) is not None

    def begins_with(self, parts: list[bytes]) -> bool:
        return _matched(self.parts, self._passable, parts) is not None

    def after(self, parts: list[bytes]) -> Message | None:
        """The first message after those parts; None if others spoke since."""
        matched = _matched(self.parts, self._passable, parts) or 0
        place = bisect_left(self.ends, matched) + 1
        is_free = place < len(self.messages) and not any(self._others[place:])
        return self.messages[place] if is_free else None


def _matched(stored: list[bytes], passable: list[bool], sent: list[bytes]) -> int | None:
    """How many stored parts match what was sent, skipping those of others; None if they do not
    match.
    """
    at = 0
    for part in sent:
        while at < len(stored) and stored[at] != part and passable[at]:
            at += 1
        if at == len(stored) or stored[at] != part:
            return None
        at += 1
    return at


def _of_others(messages: Iterable[Message]) -> Iterator[bool]:
    """Whether each message comes from others, or is a tool's answer to a call of others."""
    calls: set[str | None] = set()
    for message in messages:
        made = {part.id for part in message.parts if isinstance(part, ToolCall)}
        answered = {part.call_id for part in message.parts if isinstance(part, ToolResult)}
        is_others = message.role == "assistant" and message.model is None
        (calls.update if is_others else calls.difference_update)(made)
        yield is_others or (message.role == "tool" and not calls.isdisjoint(answered))


def _new_instructions(sent: Sequence[Message], recorded: Sequence[Message]) -> Iterator[Message]:
    known = {_likeness(message) for message in recorded if message.role in _INSTRUCTING}
    for message in sent:
        if message.role in _INSTRUCTING and _likeness(message) not in known:
            yield message


def _after_last_answer(said: Sequence[Message]) -> int:
    answers = (n for n, message in enumerate(said, 1) if message.role == "assistant")
    return max(answers, default=0)


def _likeness(message: Message) -> tuple[bytes, ...]:
    return tuple(_parts((message,)))


def _parts(messages: Iterable[Message]) -> list[bytes]:
    """The parts to compare: those that every API sends back, across message boundaries."""
    return [
        dumps((role, type(part).__name__, _without_name(part)))
        for role, part in flattened(map(_without_ids, messages))
        if not isinstance(part, Reasoning | Opaque)
        and not (role == "assistant" and isinstance(part, Media))  # sent back by its id
    ]


def _without_ids(message: Message) -> Message:
    """Drops made-up call ids: the chat API's first form has none."""
    if FUNCTION_CALL not in message.metadata and message.metadata.get("role") != "function":
        return message
    bare = (
        replace(part, id="") if isinstance(part, ToolCall)
        else replace(part, call_id=None) if isinstance(part, ToolResult)
        else part
        for part in message.parts
    )  # fmt: skip
    changed: Message = replace(message, parts=tuple(bare))
    return changed


def _without_name(part: Part) -> Part:
    """Drops the name of a result: the chat API's results have none."""
    return ToolResult(part.call_id, None, part.content) if isinstance(part, ToolResult) else part
