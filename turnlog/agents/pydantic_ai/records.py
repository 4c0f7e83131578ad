"""Reads and writes the records and entries of pydantic-ai's conversations in a log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from pydantic_ai.conversation_store import (
    ConversationConflict,
    ConversationEntry,
    ConversationRecord,
)

from turnlog.agents.pydantic_ai.offer import conversation_of
from turnlog.agents.pydantic_ai.saving import RECORDS, saved
from turnlog.agents.pydantic_ai.thread import SavedThread
from turnlog.agents.pydantic_ai.threads import SavedThreads
from turnlog.agents.saves import EVERY, ConversationsProjection, EntriesProjection, of_scope
from turnlog.domain import events as e
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent, UnknownConversation, VersionConflict
from turnlog.projections import register

_FIRST = 64
"""The number of conversations looked up at first."""

for projection in (EntriesProjection(), ConversationsProjection()):
    register(projection)


class Records:
    """The records of all conversations; safe for concurrent use."""

    def __init__(self, log: Turnlog) -> None:
        self._log = log
        self._threads = SavedThreads(log)

    def read(self, conversation: str) -> ConversationRecord | None:
        """The record of a conversation, or None."""
        with self._threads.at(conversation) as thread:
            return _record(thread) if thread is not None and thread.exists else None

    def every(self, scope: str | None, limit: int | None) -> list[ConversationRecord]:
        """The records, the most recently updated first; with a scope only those in it."""
        found = list(islice(self._newest_first(scope), limit))
        return sorted(found, key=lambda record: record.updated_at, reverse=True)

    def _newest_first(self, scope: str | None) -> Iterator[ConversationRecord]:
        """Reads only as many records as the caller takes."""
        for id in self._ids(EVERY if scope is None else of_scope(scope)):
            with self._threads.at(id, keep=False) as thread:
                record = _record(thread) if thread is not None and thread.exists else None
            if record is not None and scope in (None, record.scope):
                yield record

    def _ids(self, key: str) -> Iterator[str]:
        view, seen, asked = self._log.view(ConversationsProjection.name), set[str](), _FIRST
        while True:
            found = view.find(key, asked)
            new = [each.conversation for each in found if each.conversation not in seen]
            yield from new
            if len(found) < asked:
                return
            seen.update(new)
            asked *= 4

    def history(self, head: str | None, limit: int | None) -> list[ConversationEntry]:
        """The entries that end with one, oldest first. Raises KeyError if no conversation
        has it.
        """
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
        yield from self._threads.having(entry)
        if (offered := conversation_of(entry)) is not None:
            yield offered
        for found in self._log.view(EntriesProjection.name).find(entry):
            yield found.conversation

    def write(
        self,
        record: ConversationRecord,
        new: Sequence[ConversationEntry],
        expected: str | None,
    ) -> None:
        """Records a save. Raises ConversationConflict if the stored revision is not the expected
        one.
        """
        id = record.conversation_id
        begun = self._fork(record) if _is_new_fork(record, expected) else None
        with self._threads.at(id) as thread:
            if begun is None and _revision(thread) != expected:
                raise ConversationConflict(id)
            version = begun or (thread.version if thread is not None else 0)
            try:
                events = saved(record, new, thread)
                self._log.perform(id, lambda state, past: events, expected_version=version)
            except (KeyError, UnknownConversation, VersionConflict) as error:
                raise ConversationConflict(id) from error

    def _fork(self, record: ConversationRecord) -> int:
        """Begins a conversation whose past is another's, with the save that names the record's
        head, and returns its version.

        The fork's first save retracts what that save contains beyond the head.
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
        """Deletes a conversation. Raises ConversationConflict if it changed."""
        with self._threads.at(conversation) as thread:
            if thread is None or _revision(thread) != expected:
                raise ConversationConflict(conversation)
            deleted, version = e.ConversationDeleted(), thread.version
            try:
                self._log.record(conversation, deleted, expected_version=version)
            except VersionConflict as error:
                raise ConversationConflict(conversation) from error


def _record(thread: SavedThread) -> ConversationRecord:
    id = thread.conversation.id
    if thread.newest is None:
        record = ConversationRecord(conversation_id=id, head_id=None)
    else:
        record = RECORDS.validate_python({**thread.newest.record, "conversation_id": id})
    updated = thread.changed or record.updated_at
    return replace(record, head_id=thread.head, revision=thread.revision, updated_at=updated)


def _is_new_fork(record: ConversationRecord, expected: str | None) -> bool:
    return None not in (record.forked_from, record.head_id) and expected is None


def _revision(thread: SavedThread | None) -> str | None:
    return thread.revision if thread is not None and thread.exists else None
