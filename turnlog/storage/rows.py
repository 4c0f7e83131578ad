"""What a log's tables hold, whatever the back end."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, TypeVar

from turnlog.domain.commit import Commit
from turnlog.encoding import binary


class Row(NamedTuple):
    """A commit as stored. previous: SHA-256 of the conversation's row before, b"" for the first."""

    position: int
    conversation: str
    version: int
    topic: str
    key: str | None
    previous: bytes
    state: bytes

    def digest(self) -> bytes:
        """SHA-256 over every column as stored."""
        return hashlib.sha256(binary.encode(self)).digest()

    def commit(self) -> Commit:
        return binary.decode_commit(
            self.conversation, self.version, self.topic, self.key, self.state, self.position
        )


class Head(NamedTuple):
    """Where a conversation stands; written with its newest row, derived from its rows.

    digest: of its newest row. snapshot: number of the event its newest snapshot stands after.
    state: the encoded State.
    """

    conversation: str
    version: int
    position: int
    digest: bytes
    event: int
    turn: int
    snapshot: int
    state: bytes


class Snapshot(NamedTuple):
    """The encoded State after a commit; digest: of that commit's row.

    previous: number of the event the snapshot before stands after, 0 for the first.
    """

    conversation: str
    version: int
    event: int
    turn: int
    digest: bytes
    state: bytes
    previous: int


class Mark(NamedTuple):
    """How far a model has been projected; digest: of the row at that position, if known."""

    model: str
    position: int
    digest: bytes | None


class Entry(NamedTuple):
    """One entry of a read model, as stored."""

    model: str
    conversation: str
    key: str
    value: bytes


Stored = TypeVar("Stored", Row, Head, Snapshot, Mark, Entry)
"""What the tables hold: each has rows of one of these types."""


def readable(text: bytes) -> Any:
    """Text as stored; as bytes where it is no UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text
