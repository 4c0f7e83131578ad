"""The messages of a conversation that count: all of them, or the last ones, read from the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile

from msgspec.structs import replace

from turnlog.domain import message_context
from turnlog.domain.counted import counting
from turnlog.domain.events import HistoryCompacted, UserUttered
from turnlog.domain.message_groups import side
from turnlog.domain.messages import Message, messages
from turnlog.domain.recorded import RecordedEvent


def said(events: Sequence[RecordedEvent], *, for_model: bool = False) -> Iterator[Message]:
    """The messages of events, oldest first: as edited, without retracted, failed or redacted ones.

    for_model: as a model may read them.
    """
    numbered, _ = counting(events)
    found = messages(numbered)
    if for_model:
        compactions = [(n, one) for n, one in numbered if isinstance(one, HistoryCompacted)]
        found = iter(message_context.for_model(found, compactions))
    if not events or events[-1].branch is None:
        return found
    places = {recorded.number: recorded for recorded in events}
    return (_placed(message, places) for message in found)


def _placed(message: Message, places: Mapping[int, RecordedEvent]) -> Message:
    """The message with branch and turn of its first event; a summary for a model has none."""
    if message.event is None:
        return message
    place = places[message.event]
    return replace(message, branch=place.branch, branch_turn=place.branch_turn)


def last_said(
    newest_first: Iterable[RecordedEvent], count: int, *, for_model: bool = False
) -> list[Message]:
    """The last messages of a conversation, at most this many; reads whole turns, and no more.

    for_model: as a model may read them, without results whose call is not among them.
    """
    window: list[RecordedEvent] = []
    found: list[Message] = []
    parts, due = 0, count
    for recorded in newest_first if count > 0 else ():
        event = recorded.event
        window.append(recorded)  # even a retracted event may edit one that counts
        counts = recorded.taken_back is None
        parts += counts and side(event) is not None
        if counts and parts >= due and isinstance(event, UserUttered):
            found = list(said(window[::-1], for_model=for_model))
            if len(found) >= count:
                break
            due = 2 * parts
    else:
        found = list(said(window[::-1], for_model=for_model))
    last = found[-count:] if count > 0 else []
    return [*dropwhile(_is_result, last)] if for_model else last


def _is_result(message: Message) -> bool:
    return message.role == "tool"
