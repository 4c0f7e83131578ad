"""Messages as they may be sent to a model: calls closed, compactions carried out (ADR 14)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeGuard

from turnlog.domain.events import HistoryCompacted
from turnlog.domain.message import Message
from turnlog.domain.message_parts import Text, ToolCall, ToolResult

UNANSWERED = "This call has no result: it was interrupted before the tool answered."

Compaction = tuple[int, HistoryCompacted]
"""With the number of its event."""


def for_model(messages: Iterable[Message], compactions: Iterable[Compaction] = ()) -> list[Message]:
    """What a model may read: each result right after the message of its call, and a result that
    says so for a call that has none; results of no call are left out.

    compactions: oldest first; the text of each stands for the messages from `first` to `last`.
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
                yield _unanswered(part)


def _results(messages: list[Message]) -> tuple[dict[int, list[Message]], set[tuple[int, int]]]:
    """Result messages by the index of the message that called, and the calls that have a result."""
    waiting: dict[str | None, list[tuple[int, int]]] = {}
    results: dict[int, list[Message]] = {}
    answered: set[tuple[int, int]] = set()
    for index, message in enumerate(messages):
        callers: list[tuple[int, int]] = []
        for place, part in enumerate(message.parts):
            if _waits(part):
                waiting.setdefault(part.id, []).append((index, place))
            elif isinstance(part, ToolResult) and (calls := waiting.get(part.call_id)):
                callers.append(calls.pop())
        if callers and message.role == "tool":
            answered.update(callers)
            results.setdefault(callers[0][0], []).append(message)
    return results, answered


def _waits(part: object) -> TypeGuard[ToolCall]:
    """Whether a part is a call that we have to answer."""
    return isinstance(part, ToolCall) and not part.server


def _unanswered(call: ToolCall) -> Message:
    return Message("tool", (ToolResult(call.id, call.name, UNANSWERED, True),), name=call.name)
