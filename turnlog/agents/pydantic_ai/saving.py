"""The events of a save: what was said, then pydantic-ai's own without the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic_ai.conversation_store import ConversationEntry, ConversationRecord
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter

from turnlog.agents.pydantic_ai.messages import Document, read, with_plain_base64
from turnlog.agents.pydantic_ai.thread import Thread
from turnlog.agents.saves import SAVE, SOURCE
from turnlog.domain import events as e
from turnlog.domain.message_recording import Recording
from turnlog.domain.plain import dumps
from turnlog.domain.skeletons import NAMES, skeleton

RECORDS = TypeAdapter(ConversationRecord)

_KEPT = ("content", "args")
"""Members whose null says something."""

_NAMES = NAMES | {"scope", "head_id", "revision", "forked_from", "forked_at", "parent"}
"""Members that are no words, also where somebody said the same."""


def saved(
    record: ConversationRecord, new: Sequence[ConversationEntry], thread: Thread | None
) -> list[e.Event]:
    """The events of a save. Raises KeyError where it goes on from an entry that is not there."""
    events: list[e.Event] = []
    goes_on = new[0].parent_id if new else record.head_id
    if thread is not None and goes_on != thread.head:
        events.append(e.HistoryContinued(thread.end_of(goes_on)))
    elif thread is None and goes_on is not None:
        raise KeyError(goes_on)
    number = (thread.conversation.state.event if thread is not None else 0) + len(events) + 1
    recording = Recording(number)
    said: list[e.Event] = []
    entries: list[dict[str, Any]] = []
    if thread is not None:
        offered = thread.offered()
        entries += (
            {"id": o.id, "parent": o.parent, "event": o.first, "events": 0} for o in offered
        )
    for entry in new:
        dumped = document(entry.message)
        its = [event for message in read(dumped) for event in recording.take(message)]
        named = {"id": entry.id, "parent": entry.parent_id}
        entries.append({**named, "events": len(its), "message": dumped})
        said += its
    body = {"record": _plain(RECORDS.dump_python(record, mode="json")), "entries": entries}
    cut = skeleton(body, enumerate(said, number), _NAMES)
    return [*events, *said, e.ForeignRecorded(SOURCE, SAVE, dumps(cut))]


def document(message: ModelMessage) -> Document:
    """The message's JSON, without members that say nothing."""
    [whole] = ModelMessagesTypeAdapter.dump_python([message], mode="json")
    parts = [_short(part) for part in whole["parts"]]
    held: Document = with_plain_base64(_short({**whole, "parts": parts}))
    return held


def _plain(record: Mapping[str, Any]) -> Any:
    """The id is the conversation's own, which can be erased."""
    return with_plain_base64({k: v for k, v in record.items() if k != "conversation_id"})


def _short(document: Mapping[str, Any]) -> Document:
    return {key: held for key, held in document.items() if held is not None or key in _KEPT}
