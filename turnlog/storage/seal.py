"""The seal over the marks of all models: a mark that was changed or removed does not fit it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from turnlog.encoding import binary
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import Mark

SEAL = ""
"""The mark that stands for no model: its digest is that of all the others."""


def seal(transaction: Transaction) -> None:
    """Write the seal over the marks; due at the end of every transaction that writes one."""
    transaction.put_mark(sealed(transaction.marks()))


def sealed(marks: Iterable[Mark]) -> Mark:
    """The seal over marks; position is their number."""
    others = sorted(mark for mark in marks if mark.model != SEAL)
    return Mark(SEAL, len(others), hashlib.sha256(binary.encode(others)).digest())
