"""What an older turnlog derived from its rows and this one derives otherwise, made again."""

from __future__ import annotations

from turnlog.domain.apply import fold
from turnlog.domain.events import ConversationDeleted, MessageRedacted
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.storage.recorder import Transaction
from turnlog.storage.seal import SEAL, seal

RENEWED_BEFORE = 2
"""Schema before which heads and snapshots still held what had been redacted or deleted."""


def renew(transaction: Transaction) -> None:
    """Make heads and snapshots again where something was redacted or deleted; no row changes.

    Read models are thrown away: they are made again when they are asked for next.
    """
    for mark in transaction.marks():
        if mark.digest is not None and mark.model != SEAL:
            transaction.clear(mark.model)
    seal(transaction)
    after = ""
    while heads := transaction.heads(after):
        for head in heads:
            _renew(transaction, head.conversation)
        after = heads[-1].conversation


def _renew(transaction: Transaction, conversation: str) -> None:
    rows = [row for row in transaction.rows(conversation) if binary.is_commit(row.topic)]
    commits = [row.commit() for row in rows]
    hiding = MessageRedacted | ConversationDeleted
    if not any(isinstance(event, hiding) for c in commits for event in c.events):
        return
    snapshots = {snapshot.version: snapshot for snapshot in transaction.snapshots(conversation)}
    state = State()
    for commit in commits:
        state = fold(state, commit.events)
        if (snapshot := snapshots.get(commit.version)) is not None:
            transaction.put_snapshots([snapshot._replace(state=binary.encode_state(state))])
    head = transaction.head(conversation)
    assert head is not None
    if state.deleted:
        transaction.drop_snapshots(conversation)
        head = head._replace(snapshot=0)
    transaction.put_heads([head._replace(state=binary.encode_state(state))])
