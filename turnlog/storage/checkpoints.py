"""A checkpoint over all other checkpoints, which reveals that one was changed or removed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from turnlog.encoding import binary
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import Checkpoint

ALL = ""
"""The name of that checkpoint, which belongs to no model. Its digest covers all the others."""


def close_over(transaction: Transaction) -> None:
    """Writes the checkpoint over all others; due at the end of a transaction that writes any."""
    transaction.put_checkpoint(over(transaction.checkpoints()))


def over(checkpoints: Iterable[Checkpoint]) -> Checkpoint:
    """The checkpoint over all others. Its position is their number."""
    others = sorted(checkpoint for checkpoint in checkpoints if checkpoint.model != ALL)
    return Checkpoint(ALL, len(others), hashlib.sha256(binary.encode(others)).digest())
