"""Rows that claim to be older than a head that does not contain them."""

from __future__ import annotations

from turnlog.encoding.rows import decode_skeleton, is_commit
from turnlog.errors import StorageError

SECONDS = 300
"""By how much a row may predate the head: clocks differ, and a commit may have waited."""


def is_backdated(topic: str, skeleton: bytes, time: int) -> bool:
    """Whether a row missing from a head of that time, UTC seconds, claims an earlier time."""
    try:
        return is_commit(topic) and decode_skeleton(skeleton).recorded < time - SECONDS
    except (StorageError, TypeError):
        return False
