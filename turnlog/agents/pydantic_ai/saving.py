"""The events of a save: what was said, then pydantic-ai's own data without the words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic_ai.conversation_store import ConversationEntry, ConversationRecord
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelRequest, ModelResponse

from turnlog.agents.pydantic_ai.lines import made
from turnlog.agents.pydantic_ai.messages import Document, read, with_plain_base64
from turnlog.agents.pydantic_ai.thread import SavedThread
from turnlog.agents.saves import SAVE, SOURCE
from turnlog.domain import events as e
from turnlog.domain.message_recording import Recording
from turnlog.domain.plain import dumps
from turnlog.domain.skeletons import NAMES_OF, skeleton

RECORDS = TypeAdapter(ConversationRecord)

_EMPTY: dict[str, Document] = {
    whole["kind"]: {key: held for key, held in whole.items() if key != "timestamp"}
    for whole in ModelMessagesTypeAdapter.dump_python(
        [ModelRequest([]), ModelResponse([])], mode="json"
    )
}
"""The default values of a message's members."""

_EMPTY_RECORD: Document = RECORDS.dump_python(
    ConversationRecord(conversation_id="", head_id=None), mode="json", exclude={"updated_at"}
)

_KEPT = ("content", "args")
"""Members in which null has a meaning."""


def saved(
    record: ConversationRecord, new: Sequence[ConversationEntry], thread: SavedThread | None
) -> list[e.Event]:
    """The events of a save. Raises KeyError if it continues from an entry that does not exist."""
    events: list[e.Event] = []
    continues = new[0].parent_id if new else record.head_id
    if thread is not None and continues != thread.head:
        events.append(e.HistoryContinued(thread.end_of(continues)))
    elif thread is None and continues is not None:
        raise KeyError(continues)
    number = (thread.conversation.state.event if thread is not None else 0) + len(events) + 1
    recording = Recording(number)
    said: list[e.Event] = []
    entries = [*_offered(thread)] if thread is not None else []
    for entry in new:
        dumped = document(entry.message)
        its = [event for message in read(dumped) for event in recording.take(message)]
        named = {"id": entry.id, "parent": entry.parent_id}
        entries.append({**named, "events": len(its), "message": dumped})
        said += its
    body = {"record": _plain(record), "entries": entries}
    others = thread.said_by_others() if thread is not None else ()
    cut = skeleton(body, [*others, *enumerate(said, number)], NAMES_OF[SOURCE])
    return [*events, *said, e.ForeignRecorded(SOURCE, SAVE, dumps(cut))]


def _offered(thread: SavedThread) -> Iterator[dict[str, Any]]:
    """The entries of what others recorded, which the save names."""
    for entry, message in zip(thread.offered, made(thread.offered), strict=True):
        named = {"id": entry.id, "parent": entry.parent, "said": (entry.first, entry.last)}
        yield {**named, "events": 0, "message": document(message)}


def document(message: ModelMessage) -> Document:
    """The message as JSON, without members at their defaults."""
    [whole] = ModelMessagesTypeAdapter.dump_python([message], mode="json")
    empty = _EMPTY[whole["kind"]]
    parts = [_short(part) for part in whole["parts"]]
    held = {"kind": whole["kind"], **_changed(whole, empty), "parts": parts}
    plain: Document = with_plain_base64(held)
    return plain


def _plain(record: ConversationRecord) -> Any:
    """The record as JSON without the id, which is the conversation's and can be erased."""
    whole = RECORDS.dump_python(record, mode="json", exclude={"conversation_id"})
    held = _changed(whole, _EMPTY_RECORD)
    return with_plain_base64({**held, "head_id": record.head_id, "revision": record.revision})


def _changed(document: Document, empty: Document) -> Document:
    held = {key: value for key, value in document.items() if value != empty.get(key)}
    if "usage" in held:
        held["usage"] = _changed(held["usage"], empty["usage"])
    return held


def _short(part: Document) -> Document:
    return {key: held for key, held in part.items() if held is not None or key in _KEPT}
