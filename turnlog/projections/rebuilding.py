"""Makes heads, keys and snapshots again from the rows."""

from __future__ import annotations

from turnlog.projections.heads import Heads
from turnlog.storage.checkpoints import close_over
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import HEADS
from turnlog.storage.subscription import BATCH_COMMITS, batches


def rebuild_heads(recorder: Recorder, batch: int = BATCH_COMMITS) -> int:
    """Makes heads, keys and snapshots again, and returns the number of rows."""
    done = 0
    heads = Heads(recorder)
    with recorder.transaction() as transaction:
        transaction.clear(HEADS)
        for rows in batches(transaction, size=batch):
            heads.tail.note(rows)
            heads.write(transaction, done)
            heads.tail.forget()
            done += len(rows)
        close_over(transaction)
    return done
