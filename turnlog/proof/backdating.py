"""Rows that say they were recorded before a head that does not have them."""

from __future__ import annotations

from turnlog.encoding.rows import decode_skeleton, is_commit
from turnlog.errors import StorageError

SECONDS = 300
"""How much earlier a row may say it was: clocks differ, and a commit may have waited."""


def is_backdated(topic: str, skeleton: bytes, time: int) -> bool:
    """Whether a row that is not in a head of that time, UTC seconds, says that it was before."""
    try:
        return is_commit(topic) and decode_skeleton(skeleton).recorded < time - SECONDS
    except (StorageError, TypeError):
        return False
