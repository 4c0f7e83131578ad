"""Current state: the heads, written with the rows themselves, and made again from them here."""

from __future__ import annotations

from turnlog.projections.projection import BATCH
from turnlog.storage.recorder import Recorder, Transaction, advanced
from turnlog.storage.rows import Head


def rebuild_heads(recorder: Recorder, batch: int = BATCH) -> int:
    """Make every conversation's head again from its rows; how many rows there were."""
    done = 0
    with recorder.transaction() as transaction:
        while rows := transaction.tail(done, batch):
            heads = advanced(transaction, rows)
            transaction.put_heads([_with_snapshot(transaction, head) for head in heads])
            done = rows[-1].position
    return done


def _with_snapshot(transaction: Transaction, head: Head) -> Head:
    snapshot = transaction.snapshot(head.conversation, event=head.event)
    return head._replace(snapshot=snapshot.event if snapshot else 0)
