"""The records and entries of pydantic-ai's conversations in a log, read and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationEntry,
    ConversationRecord,
)

from turnlog.agents.pydantic_ai.messages import with_url_base64
from turnlog.agents.pydantic_ai.saving import RECORDS, saved
from turnlog.agents.pydantic_ai.thread import Thread, conversation_of
from turnlog.agents.pydantic_ai.threads import Threads
from turnlog.domain import events as e
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent, UnknownConversation, VersionConflict


class Records:
    """Safe to use from several threads."""

    def __init__(self, log: Turnlog) -> None:
        self._log = log
        self._threads = Threads(log)
        self._where: dict[str, str] = {}

    def read(self, conversation: str) -> ConversationRecord | None:
        with self._threads.at(conversation) as thread:
            return self._record(thread) if thread is not None and thread.exists else None

    def _record(self, thread: Thread) -> ConversationRecord:
        id = thread.conversation.id
        if thread.newest is None:
            record = ConversationRecord(conversation_id=id, head_id=None)
        else:
            stored = with_url_base64(thread.newest.record)
            record = RECORDS.validate_python({**stored, "conversation_id": id})
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
            try:
                with self._threads.at(conversation) as thread:
                    if thread is not None:
                        return thread.history(head, limit)
            except (KeyError, UnknownConversation):
                continue
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
        begun = self._fork(record) if _is_new_fork(record, expected) else None
        with self._threads.at(id) as thread:
            if begun is None and _revision(thread) != expected:
                raise ConversationConflict(id)
            version = begun or (thread.version if thread is not None else 0)
            try:
                self._log.record(id, *saved(record, new, thread), expected_version=version)
            except (KeyError, UnknownConversation, VersionConflict) as error:
                raise ConversationConflict(id) from error
        self._where |= {entry.id: id for entry in new[-1:]}

    def _fork(self, record: ConversationRecord) -> int:
        """Begin a conversation whose past is another's, with the save that names the record's head;
        its version.

        What that save has beyond it is taken back by the fork's first save.
        """
        id, origin = record.conversation_id, str(record.forked_from)
        try:
            with self._threads.at(origin) as past:
                if past is None:
                    raise UnknownConversation(origin)
                named = past.entry(str(record.head_id)).named
            return self._log.fork(origin, event=named, as_=id).commits[-1].version
        except (KeyError, UnknownConversation, InvalidEvent) as error:
            raise ConversationConflict(id) from error

    def delete(self, conversation: str, expected: str) -> None:
        with self._threads.at(conversation) as thread:
            if thread is None or _revision(thread) != expected:
                raise ConversationConflict(conversation)
            deleted, version = e.ConversationDeleted(), thread.version
            try:
                self._log.record(conversation, deleted, expected_version=version)
            except VersionConflict as error:
                raise ConversationConflict(conversation) from error


def _is_new_fork(record: ConversationRecord, expected: str | None) -> bool:
    return None not in (record.forked_from, record.head_id) and expected is None


def _revision(thread: Thread | None) -> str | None:
    return thread.revision if thread is not None and thread.exists else None
