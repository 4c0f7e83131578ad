"""The records and entries of pydantic-ai's conversations in a log, read and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter
from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationEntry,
    ConversationRecord,
)
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter

from turnlog.agents.pydantic_ai.messages import (
    SOURCE,
    Document,
    read,
    with_plain_base64,
    with_url_base64,
)
from turnlog.agents.pydantic_ai.thread import SAVE, ChainEntry, Thread, conversation_of
from turnlog.domain import events as e
from turnlog.domain.message_recording import Recording
from turnlog.domain.plain import dumps
from turnlog.domain.skeletons import NAMES, skeleton
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent, UnknownConversation, VersionConflict

_RECORDS = TypeAdapter(ConversationRecord)
_KEPT = ("content", "args")
"""Members whose null says something."""

_NAMES = NAMES | {"scope", "head_id", "revision", "forked_from", "forked_at", "parent"}
"""Members that are no words, also where somebody said the same."""


class Records:
    """Safe to use from several threads."""

    def __init__(self, log: Turnlog) -> None:
        self._log = log
        self._where: dict[str, str] = {}

    def _thread(self, conversation: str) -> Thread | None:
        try:
            return Thread(self._log.conversation(conversation))
        except UnknownConversation:
            return None

    def read(self, conversation: str) -> ConversationRecord | None:
        thread = self._thread(conversation)
        return self._record(thread) if thread is not None and thread.exists else None

    def _record(self, thread: Thread) -> ConversationRecord:
        id = thread.conversation.id
        if thread.newest is None:
            record = ConversationRecord(conversation_id=id, head_id=None)
        else:
            stored = with_url_base64(thread.newest.record)
            record = _RECORDS.validate_python({**stored, "conversation_id": id})
        record = replace(record, head_id=thread.head, revision=thread.revision)
        self._where |= dict.fromkeys(filter(None, (record.head_id, *record.branches)), id)
        return record

    def every(self, scope: str | None, limit: int | None) -> list[ConversationRecord]:
        records = [r for id in self._log.ids() if (r := self.read(id)) is not None]
        found = [record for record in records if scope is None or record.scope == scope]
        found.sort(key=lambda record: record.updated_at, reverse=True)
        return found[:limit]

    def history(self, head: str | None, limit: int | None) -> list[ConversationEntry]:
        """Raises KeyError where no conversation has the entry."""
        if head is None:
            return []
        for conversation in self._candidates(head):
            thread = self._thread(conversation)
            try:
                chain = thread.chain(head, limit) if thread is not None else []
            except KeyError:
                continue
            if chain and thread is not None:
                return list(_entries(chain, thread.documents(chain)))
        raise KeyError(head)

    def _candidates(self, entry: str) -> Iterator[str]:
        """The conversations that may have an entry."""
        known = conversation_of(entry) or self._where.get(entry)
        if known is not None:
            yield known
        yield from (id for id in self._log.ids() if id != known)

    def write(
        self,
        record: ConversationRecord,
        new: Sequence[ConversationEntry],
        expected: str | None,
    ) -> None:
        id = record.conversation_id
        thread = self._thread(id)
        if (thread.revision if thread is not None and thread.exists else None) != expected:
            raise ConversationConflict(id)
        if thread is None and record.forked_from is not None and record.head_id is not None:
            thread = self._forked(record, record.forked_from)
        try:
            events = _saved(record, new, thread)
            version = thread.conversation.version if thread is not None else 0
            self._log.record(id, *events, expected_version=version)
        except (KeyError, VersionConflict) as error:
            raise ConversationConflict(id) from error
        self._where |= {entry.id: id for entry in new[-1:]}

    def _forked(self, record: ConversationRecord, origin: str) -> Thread:
        """A new conversation whose past is another's, with the save that names the record's head.

        What that save has beyond it is taken back by the fork's first save.
        """
        past = self._thread(origin)
        try:
            if past is None or record.head_id is None:
                raise UnknownConversation(origin)
            named = past.entry(record.head_id).named
            self._log.fork(origin, event=named, as_=record.conversation_id)
        except (KeyError, UnknownConversation, InvalidEvent) as error:
            raise ConversationConflict(record.conversation_id) from error
        return Thread(self._log.conversation(record.conversation_id))

    def delete(self, conversation: str, expected: str) -> None:
        thread = self._thread(conversation)
        if thread is None or not thread.exists or thread.revision != expected:
            raise ConversationConflict(conversation)
        version = thread.conversation.version
        try:
            self._log.record(conversation, e.ConversationDeleted(), expected_version=version)
        except VersionConflict as error:
            raise ConversationConflict(conversation) from error


def _entries(
    chain: Sequence[ChainEntry], documents: Iterator[Document]
) -> Iterator[ConversationEntry]:
    made = ModelMessagesTypeAdapter.validate_python([with_url_base64(each) for each in documents])
    for entry, message in zip(chain, made, strict=True):
        yield ConversationEntry(id=entry.id, parent_id=entry.parent, message=message)


def _saved(
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
    body = {"record": _plain(_RECORDS.dump_python(record, mode="json")), "entries": entries}
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
