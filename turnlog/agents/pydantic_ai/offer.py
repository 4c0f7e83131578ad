"""What others recorded in a conversation, as entries that continue pydantic-ai's newest one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from turnlog.agents.pydantic_ai.lines import ChainEntry
from turnlog.agents.pydantic_ai.messages import together, written
from turnlog.domain import events as e
from turnlog.domain.message import Message
from turnlog.domain.message_groups import side
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.said import said
from turnlog.domain.traits import Rewind, Rewrite

_OFFERED = "turnlog"


def offered(
    conversation: str, recorded: Sequence[RecordedEvent], tip: ChainEntry | None
) -> list[ChainEntry]:
    """The entries after an entry, oldest first. recorded: all events of the conversation."""
    found: list[ChainEntry] = []
    parent, after = (tip.id, tip.last) if tip else (None, 0)
    for step, last in _steps(recorded, after):
        first = step[0].event or 0
        document = together(
            [written(each, time_of(recorded[(each.event or 0) - 1]).isoformat()) for each in step]
        )
        id = f"{_OFFERED}:{first}:{conversation}"
        found.append(ChainEntry(id, parent, (first, last), first, document))
        parent = id
    return found


def _steps(recorded: Sequence[RecordedEvent], after: int) -> Iterator[tuple[list[Message], int]]:
    """The messages after an event, each step with the last event before the next.

    All that is sent to a model between two of its answers is one step.
    """
    step: list[Message] = []
    for message in said(recorded):
        if (number := message.event or 0) <= after:
            continue
        if step and "assistant" in (step[-1].role, message.role):
            yield step, number - 1
            step = []
        step.append(message)
    if step:
        yield step, len(recorded)


def conversation_of(id: str) -> str | None:
    """The conversation of an entry that others recorded; None for any other entry."""
    source, _, rest = id.partition(":")
    return rest.partition(":")[2] if source == _OFFERED else None


def changes(event: e.Event) -> bool:
    """Whether the event changes the messages of its conversation."""
    return side(event) is not None or isinstance(event, Rewind | Rewrite)


def time_of(recorded: RecordedEvent) -> datetime:
    """When the event happened, in UTC."""
    return datetime.fromtimestamp(recorded.event.timestamp or recorded.recorded, UTC)
