"""What a log's tables hold, whatever the back end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

from turnlog.domain.commit import Commit
from turnlog.encoding import binary
from turnlog.errors import Corrupt


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


class Body(NamedTuple):
    """What of a row tells the events."""

    version: int
    topic: str
    state: bytes


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


Stored = TypeVar("Stored", Row, Body, Head, Snapshot, Mark, Entry)
"""What is read from the tables."""


def _shapes(kind: Any) -> frozenset[tuple[type, ...]]:
    """The types that the columns of a table may have together."""
    return frozenset(
        product(*(get_args(hint) or (hint,) for hint in get_type_hints(kind).values()))
    )


_SHAPES = {kind: _shapes(kind) for kind in (Row, Body, Head, Snapshot, Mark, Entry)}


def has_types(stored: Stored) -> bool:
    """Whether every column is of its type: a database that somebody changed may hold any."""
    return tuple(map(type, stored)) in _SHAPES[type(stored)]


def sound(stored: Stored) -> Stored:
    """What was read from a table. Raises Corrupt where a column is of another type."""
    if has_types(stored):
        return stored
    hints = get_type_hints(type(stored))
    wrong = ", ".join(
        f"{column} is {value!r:.40}"
        for column, value in zip(stored._fields, stored, strict=True)
        if type(value) not in (get_args(hints[column]) or (hints[column],))
    )
    kind, (first, second, *_) = type(stored).__name__.lower(), stored
    raise Corrupt(f"stored {kind} ({first!r:.80}, {second!r:.80}): {wrong}, of another type")


_TYPES: dict[Any, tuple[frozenset[type], ...]] = {
    kind: tuple(map(frozenset, zip(*shapes, strict=True))) for kind, shapes in _SHAPES.items()
}


def check_types(kind: type[Stored], found: Sequence[Sequence[Any]]) -> None:
    """Raise Corrupt where a column of the rows of a table is of another type."""
    if len(found) == 1:
        whole = tuple(map(type, found[0])) in _SHAPES[kind]
    else:  # by columns many rows are looked through faster
        columns = zip(_TYPES[kind], zip(*found, strict=True), strict=False)
        whole = all(types.issuperset(map(type, column)) for types, column in columns)
    for row in () if whole else found:
        sound(kind._make(row))


def as_found(stored: Stored) -> Stored:
    """The same for who looks for faults: whatever was read."""
    return stored


def check_nothing(kind: type[Stored], found: Sequence[Sequence[Any]]) -> None:
    """The same for who looks for faults."""


def readable(text: bytes) -> Any:
    """Text as stored; as bytes where it is no UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text
