"""A conversation as an auditor looks at it: what was recorded, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from turnlog.audit.protocol import protocol
from turnlog.audit.verify import Verification, verify
from turnlog.domain.branches import whole_placed
from turnlog.domain.recorded import TracedEvent
from turnlog.errors import StorageError


class ConversationAudit(msgspec.Struct, frozen=True):
    """events: as far as they can be read, oldest first."""

    id: str
    events: Sequence[TracedEvent]
    verification: Verification


def audited(log: Any, id: str, *, deleted: bool = False) -> ConversationAudit:
    """deleted: also where it is deleted. Raises UnknownConversation."""
    verification = verify(log.store, [id])
    events: list[Any] = []
    try:
        log.conversation(id, deleted=deleted)
        events.extend(log.history(id).recorded())
    except StorageError:
        if verification.ok:
            raise
    return ConversationAudit(id, protocol(whole_placed(events)), verification)
