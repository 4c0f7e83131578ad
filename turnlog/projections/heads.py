"""Current state: the heads, written with the rows themselves, and made again from them here."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.domain.apply import fold
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.storage.recorder import Reader, Recorder, Transaction
from turnlog.storage.rows import Head, Row
from turnlog.storage.subscription import BATCH_COMMITS, batches


def rebuild_heads(recorder: Recorder, batch: int = BATCH_COMMITS) -> int:
    """Make every conversation's head again from its rows; how many rows there were."""
    done = 0
    with recorder.transaction() as transaction:
        for rows in batches(transaction, size=batch):
            heads = advanced(transaction, rows)
            for head in heads:
                if binary.decode_state(head.state).deleted:
                    transaction.drop_snapshots(head.conversation)
            transaction.put_heads([_with_snapshot(transaction, head) for head in heads])
            done += len(rows)
    return done


def advanced(reader: Reader, rows: Sequence[Row]) -> list[Head]:
    """The heads that follow from appended rows; rows that are no commits only move the chain."""
    heads: dict[str, Head] = {}
    for row in rows:
        head = heads.get(row.conversation)
        if head is None and row.previous:
            head = reader.head(row.conversation)
        heads[row.conversation] = _following(head, row)
    return list(heads.values())


def _following(head: Head | None, row: Row) -> Head:
    state = binary.decode_state(head.state) if head else State()
    if binary.is_commit(row.topic):
        state = fold(state, row.commit().events)
    return Head(
        row.conversation,
        row.version,
        row.position,
        row.digest(),
        state.event,
        state.turn,
        head.snapshot if head else 0,
        binary.encode_state(state),
    )


def _with_snapshot(transaction: Transaction, head: Head) -> Head:
    snapshot = transaction.snapshot(head.conversation, event=head.event)
    return head._replace(snapshot=snapshot.event if snapshot else 0)
