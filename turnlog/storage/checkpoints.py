"""The checkpoint over all others: one that was changed or removed does not fit it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from turnlog.encoding import binary
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import Checkpoint

ALL = ""
"""The checkpoint that stands for no model: its digest is that of all the others."""


def close_over(transaction: Transaction) -> None:
    """Write the checkpoint over all others; due at the end of a transaction that writes one."""
    transaction.put_checkpoint(over(transaction.checkpoints()))


def over(checkpoints: Iterable[Checkpoint]) -> Checkpoint:
    """The checkpoint over all others; position is their number."""
    others = sorted(checkpoint for checkpoint in checkpoints if checkpoint.model != ALL)
    return Checkpoint(ALL, len(others), hashlib.sha256(binary.encode(others)).digest())
