"""Messages as they may be sent to a model: calls answered, compactions applied (ADR 14)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeGuard

from msgspec.structs import replace

from turnlog.domain.calls import OpenCalls
from turnlog.domain.events import HistoryCompacted
from turnlog.domain.message import Message
from turnlog.domain.message_openai import FUNCTION_CALL
from turnlog.domain.message_parts import Part, Text, ToolCall, ToolResult

UNANSWERED = "This call has no result: it was interrupted, or what the tool said was taken back."

Compaction = tuple[int, HistoryCompacted]
"""A message with the number of its event."""


def for_model(messages: Iterable[Message], compactions: Iterable[Compaction] = ()) -> list[Message]:
    """What a model may read: each result follows the message of its call, a call without a result
    gets one that says so, and results without a call are omitted.

    compactions: oldest first; the text of each replaces the messages from `first` to `last`.
    """
    compacted = list(messages)
    summed_up: dict[int | None, HistoryCompacted] = {}
    for number, compaction in compactions:
        compacted = list(_compacted(compacted, number, compaction, summed_up))
        summed_up[number] = compaction
    return list(_closed(compacted))


def _compacted(
    messages: list[Message],
    number: int,
    compaction: HistoryCompacted,
    earlier: Mapping[int | None, HistoryCompacted],
) -> Iterator[Message]:
    """earlier: the compactions whose summaries are among the messages, by number."""
    summary = Message("system", (Text(compaction.text or ""),), event=number)
    is_due = compaction.text is not None
    for message in messages:
        before, event = earlier.get(message.event), message.event or 0
        first, last = (before.first, before.last) if before else (event, event)
        if not (compaction.first <= first and last <= compaction.last):
            yield message
        elif is_due:
            is_due = False
            yield summary


def _closed(messages: list[Message]) -> Iterator[Message]:
    results, answered = _results(messages)
    for index, message in enumerate(messages):
        if message.role == "tool":
            continue
        yield message
        yield from results.get(index, ())
        for place, part in enumerate(message.parts):
            if _waits(part) and (index, place) not in answered:
                yield _unanswered(message, part)


Place = tuple[int, int]
"""A call's place: the index of its message, and the place of the part in it."""


def _results(messages: list[Message]) -> tuple[dict[int, list[Message]], set[Place]]:
    """Result messages by the index of the calling message, and the answered calls."""
    open_calls = OpenCalls[Place]()
    results: dict[int, list[Message]] = {}
    answered: set[Place] = set()
    for index, message in enumerate(messages):
        if message.role == "tool":
            for caller, parts in _by_caller(message, open_calls, answered).items():
                results.setdefault(caller, []).append(replace(message, parts=tuple(parts)))
            continue
        open_calls.pause()
        for place, part in enumerate(message.parts):
            if _waits(part):
                open_calls.made(part.id, (index, place))
    return results, answered


def _by_caller(
    message: Message, open_calls: OpenCalls[Place], answered: set[Place]
) -> dict[int, list[Part]]:
    """The parts of a result message by the calling message, without results of unknown calls.

    answered: the calls with a result; this call adds to them.
    """
    found: dict[int, list[Part]] = {}
    for parts in _pieces(message.parts):
        ids = (part.call_id for part in parts if isinstance(part, ToolResult))
        call_id = next(ids, None)
        call = None if call_id is None else open_calls.answered(call_id)
        if call is not None:
            answered.add(call)
            found.setdefault(call[0], []).extend(parts)
    return found


def _pieces(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Parts split before each result but the first: texts next to a result follow it."""
    piece: list[Part] = []
    for part in parts:
        if isinstance(part, ToolResult) and any(isinstance(each, ToolResult) for each in piece):
            yield piece
            piece = []
        piece.append(part)
    yield piece


def _waits(part: object) -> TypeGuard[ToolCall]:
    """Whether a part is a call that we have to answer."""
    return isinstance(part, ToolCall) and not part.server


def _unanswered(message: Message, call: ToolCall) -> Message:
    result = ToolResult(call.id, call.name, UNANSWERED, True)
    metadata = {"role": "function"} if FUNCTION_CALL in message.metadata else {}
    return Message("tool", (result,), name=call.name, metadata=metadata)
