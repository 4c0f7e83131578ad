"""What is asked of a model, and how much of it the conversation does not have yet."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

from turnlog.domain.message import Message
from turnlog.domain.message_equality import flattened
from turnlog.domain.message_parts import Opaque, Part, Reasoning, ToolResult
from turnlog.domain.plain import dumps

_INSTRUCTING = ("system", "developer")


class Question(NamedTuple):
    """is_whole: whether the messages are all that the model knows, and not just what is new."""

    messages: Sequence[Message]
    tools: list[Any] | None = None
    is_whole: bool = True


class News(NamedTuple):
    """What of a question is to be recorded. instead: the first of the conversation's messages that
    it does not go on from; None where it goes on from the last."""

    messages: list[Message]
    instead: Message | None = None


def news(question: Question, recorded: Sequence[Message]) -> News:
    """What the conversation does not have yet, given its messages that count.

    What is sent may be all of the conversation, its end (a window) or its beginning (an answer is
    asked for again); where it is nothing of these, what comes after its last answer is new.
    """
    instructions = _new_instructions(question.messages, recorded)
    said = [message for message in question.messages if message.role not in _INSTRUCTING]
    before = [message for message in recorded if message.role not in _INSTRUCTING]
    sent, stored = _Compared(said), _Compared(before)
    known = sent.shared(stored, lambda parts, size: parts[-size:])
    if not known and question.is_whole:
        known = sent.shared(stored, lambda parts, size: parts[:size])
        # one message of many is a client that sends no history, and says the same again
        if known and not (len(said) == 1 and len(before) > 2):
            instead = before[stored.messages_of(sent.ends[known - 1])]
            return News([*instructions, *said[known:]], instead)
        known = _after_last_answer(said) if before else 0
    return News([*instructions, *said[known:]])


class _Compared:
    """Messages as they are compared. ends: how many parts there are up to each message's end."""

    def __init__(self, messages: Sequence[Message]) -> None:
        each = [_parts((message,)) for message in messages]
        self.parts = list(chain.from_iterable(each))
        self.ends = list(accumulate(map(len, each)))

    def shared(self, other: _Compared, cut: Callable[[list[bytes], int], list[bytes]]) -> int:
        """How many of the first messages say what is cut out of the other ones' parts."""
        for count in range(len(self.ends), 0, -1):
            size = self.ends[count - 1]
            if size and cut(other.parts, size) == self.parts[:size]:
                return count
        return 0

    def messages_of(self, parts: int) -> int:
        """How many messages it takes to say so many parts."""
        return bisect_left(self.ends, parts) + 1


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
    """What is compared: the parts that every API sends back, whatever message they are in."""
    return [
        dumps((role, type(part).__name__, _without_name(part)))
        for role, part in flattened(messages)
        if not isinstance(part, Reasoning | Opaque)
    ]


def _without_name(part: Part) -> Part:
    """The chat API's results have no name."""
    return ToolResult(part.call_id, None, part.content) if isinstance(part, ToolResult) else part
