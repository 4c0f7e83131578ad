"""A conversation for an auditor: what was recorded, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from turnlog.audit.protocol import protocol
from turnlog.audit.recipients import exports_of
from turnlog.audit.verify import Verification, verify
from turnlog.domain.branches import whole_placed
from turnlog.domain.recorded import TracedEvent
from turnlog.engine.access import accesses
from turnlog.errors import StorageError


class ConversationAudit(msgspec.Struct, frozen=True):
    """events: those that can be read, oldest first. exports: who received the conversation.

    reads: who read it, if the log records that.
    """

    id: str
    events: Sequence[TracedEvent]
    verification: Verification
    reads: Sequence[dict[str, Any]] = ()
    exports: Sequence[dict[str, Any]] = ()


def audited(log: Any, id: str, *, deleted: bool = False) -> ConversationAudit:
    """The audit of a conversation. deleted: also if it is deleted. Raises UnknownConversation."""
    verification = verify(log.store, [id])
    events: list[Any] = []
    try:
        log.conversation(id, deleted=deleted)
        events.extend(log.history(id).recorded())
    except StorageError:
        if verification.ok:
            raise
    lines, reads, exports = protocol(whole_placed(events)), accesses(log, id), exports_of(log, [id])
    return ConversationAudit(id, lines, verification, list(reads), exports)
