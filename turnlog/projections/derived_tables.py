"""Writes heads, keys and snapshots, which follow from the rows, into their tables."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.projections.live_head import LiveHead
from turnlog.projections.tail import Tail
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import HEADS, Checkpoint, Key


def write(transaction: Transaction, heads: Iterable[LiveHead], tail: Tail) -> None:
    """Writes heads that the tables lack, in order, with their keys, snapshots and checkpoint."""
    heads = sorted(heads, key=lambda head: head.conversation)
    if not heads:
        return
    transaction.put_heads([head.stored() for head in heads])
    transaction.put_keys([Key(*known) for known in tail.keys.items()])
    for head in heads:
        if head.state.deleted:
            transaction.drop_snapshots(head.stream)
        else:
            transaction.put_snapshots(tail.snapshots(head.stream, tail.checkpoint))
    newest = max(heads, key=lambda head: head.position)
    transaction.put_checkpoint(Checkpoint(HEADS, newest.position, newest.digest))
