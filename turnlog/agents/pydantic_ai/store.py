"""pydantic-ai's conversations, kept in a log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic_ai.conversation_store import (
    ConversationEntry,
    ConversationRecord,
    ConversationStore,
)

from turnlog.agents.door import Door
from turnlog.agents.pydantic_ai.records import Records
from turnlog.engine.log import Turnlog


class TurnlogConversationStore(Door, ConversationStore):
    """A ConversationStore on a log, which other frameworks and turnlog's own views read too.

    url: of the log, or the log itself, which the caller closes. What others record in a
    conversation is offered as entries after the newest one, and changes the revision. A fork shares
    its past with its origin: what is redacted or deleted there is gone from the fork too. A deleted
    conversation can be created again. Blocking work runs on threads.
    """

    def __init__(self, url: str | Turnlog) -> None:
        super().__init__(url)
        self._records = Records(self.log)

    # --- what pydantic-ai asks for --------------------------------------------------------------

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        return await asyncio.to_thread(self._records.read, conversation_id)

    async def read_records(
        self, *, scope: str | None = None, limit: int | None = None
    ) -> Sequence[ConversationRecord]:
        return await asyncio.to_thread(self._records.every, scope, limit)

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        await asyncio.to_thread(self._records.write, record, new_entries, expected_revision)

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        await asyncio.to_thread(self._records.delete, conversation_id, expected_revision)

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        [entry] = await self.read_history(entry_id, limit=1)
        return entry

    async def read_history(
        self, head_id: str | None, *, limit: int | None = None
    ) -> list[ConversationEntry]:
        return await asyncio.to_thread(self._records.history, head_id, limit)
