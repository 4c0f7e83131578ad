"""pydantic-ai's conversations in a log."""

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
    """A ConversationStore on a log, which other frameworks and turnlog's own views can read, too.

    url: of the log, or an open log, which the caller closes. What others record in a conversation
    is offered as entries after the newest one, and changes the revision. A fork shares its past
    with its origin: what is redacted or deleted there disappears from the fork. A deleted
    conversation can be created again. Blocking work runs on threads.
    """

    def __init__(self, url: str | Turnlog) -> None:
        super().__init__(url)
        self._records = Records(self.log)

    # --- pydantic-ai's protocol -----------------------------------------------------------------

    async def read_record(self, conversation_id: str) -> ConversationRecord | None:
        """See `ConversationStore.read_record`."""
        return await asyncio.to_thread(self._records.read, conversation_id)

    async def read_records(
        self, *, scope: str | None = None, limit: int | None = None
    ) -> Sequence[ConversationRecord]:
        """See `ConversationStore.read_records`."""
        return await asyncio.to_thread(self._records.every, scope, limit)

    async def write_record(
        self,
        record: ConversationRecord,
        *,
        new_entries: Sequence[ConversationEntry] = (),
        expected_revision: str | None,
    ) -> None:
        """Records the new entries in one commit. See `ConversationStore.write_record`."""
        await asyncio.to_thread(self._records.write, record, new_entries, expected_revision)

    async def delete_record(self, conversation_id: str, *, expected_revision: str) -> None:
        """Hides the conversation; the log keeps it. See `ConversationStore.delete_record`."""
        await asyncio.to_thread(self._records.delete, conversation_id, expected_revision)

    async def read_entry(self, entry_id: str) -> ConversationEntry:
        """See `ConversationStore.read_entry`."""
        [entry] = await self.read_history(entry_id, limit=1)
        return entry

    async def read_history(
        self, head_id: str | None, *, limit: int | None = None
    ) -> list[ConversationEntry]:
        """See `ConversationStore.read_history`."""
        return await asyncio.to_thread(self._records.history, head_id, limit)
