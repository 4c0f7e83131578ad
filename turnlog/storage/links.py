"""Checks rows as they are read: each continues from the digest of the row before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from turnlog.encoding.names import decode_name, owner
from turnlog.encoding.rows import commitments, digest
from turnlog.errors import Corrupt, StorageError
from turnlog.storage.reader import Reader
from turnlog.storage.rows import Body, Row, Stream, check_types

KEPT_BATCHES = 10_000
"""The number of batches, and of single rows, that are remembered as checked."""


_CHANGED = "does not follow from the row before it: one of the two was changed"


class Link(NamedTuple):
    """A place in a stream. digest: of the row at that version, None if unknown."""

    version: int
    digest: bytes | None


class CheckedRows:
    """Remembers checked rows, which are recognized by a hash of all their columns."""

    def __init__(self) -> None:
        self._ends: dict[tuple[bytes, int], tuple[int, Link]] = {}
        self._digests: dict[tuple[bytes, int], tuple[int, bytes]] = {}

    def end(self, owner: bytes, begin: Link, rows: Sequence[Body]) -> Link | None:
        """Where these rows end; None if they, or changed ones in their place, were not checked."""
        known = self._ends.get((owner, begin.version))
        if known is not None and known[0] == hash((begin, *rows)):
            return known[1]
        return None

    def digest(self, owner: bytes, row: Row) -> bytes:
        """The digest of a row. The last one computed for its place is kept."""
        place, held = (owner, row.version), hash(row)
        if (known := self._digests.get(place)) and known[0] == held:
            return known[1]
        if len(self._digests) >= KEPT_BATCHES:
            self._digests.clear()
        self._digests[place] = held, (made := row.digest())
        return made

    def keep(self, owner: bytes, begin: Link, rows: Sequence[Body], end: Link) -> None:
        """Remembers rows as checked."""
        if len(self._ends) >= KEPT_BATCHES:
            self._ends.clear()
        self._ends[owner, begin.version] = hash((begin, *rows)), end

    def release(self, owner: bytes) -> None:
        """Forgets the rows of a stream that was read from its first row on."""
        version = 0
        while (known := self._ends.pop((owner, version), None)) is not None:
            version = known[1].version


def check_stream(conversation: str, stream: Stream, genesis: bytes) -> None:
    """Raises Corrupt unless the stream belongs to this conversation and log."""
    name = stream.name or b""
    if decode_name(name) != conversation or stream.owner != owner(genesis, stream.life, name):
        raise Corrupt(f"conversation {conversation!r}: its stream is not the original one")


def beginning(reader: Reader, conversation: str, life: int, genesis: bytes) -> Link:
    """The link from which a life's first row continues: the last row of the life before, or the
    genesis.

    Raises Corrupt if the life before has no rows.
    """
    if life == 1:
        return Link(0, genesis)
    before = _newest(reader, conversation, life - 1)
    if before is None:
        raise Corrupt(f"conversation {conversation!r}: the rows of life {life - 1} are missing")
    return Link(0, before.digest())


def ending(reader: Reader, conversation: str, life: int) -> Link | None:
    """The end of a life according to the first row of the next; None without one."""
    if (following := reader.stream(conversation, life + 1)) is None:
        return None
    rows, last = reader.rows(following.stream, 0, 1, 1), _newest(reader, conversation, life)
    return Link(last.version, rows[0].previous) if rows and last else None


def _newest(reader: Reader, conversation: str, life: int) -> Row | None:
    stream = reader.stream(conversation, life)
    rows = reader.rows_newest_first(stream.stream, 2**62, 1) if stream else ()
    return rows[0] if rows else None


class Unchecked:
    """Accepts any rows: for unknown conversations, and for searches for faults."""

    def __init__(self, begin: Link | None) -> None:
        self.at = begin or Link(0, None)

    def take(self, rows: Sequence[Body]) -> Iterable[Body]:
        """See `Links.take`; nothing is checked."""
        self.at = Link(Body._make(rows[-1]).version, None)
        return rows

    def take_back(self, row: Row) -> None:
        """See `Links.take_back`; nothing is checked."""

    def follow_back(self, row: Row) -> None:
        """See `Links.follow_back`."""

    def finish(self) -> None:
        """See `Links.finish`; nothing is checked."""

    def finish_back(self) -> None:
        """See `Links.finish_back`; nothing is checked."""


class Links:
    """Checks the rows of one stream while they are read, from `begin` on or newest first.

    head: a known row that must be among them.
    """

    def __init__(
        self,
        conversation: str,
        stream: Stream,
        begin: Link,
        head: Link | None,
        checked: CheckedRows,
    ) -> None:
        self._conversation = conversation
        self._owner = stream.owner
        self._checked = checked
        self._head = head
        self._begin = self.at = begin
        self._following: Row | None = None

    def take(self, rows: Sequence[Body]) -> Iterable[Body]:
        """The next rows, each checked when it is reached.

        Raises Corrupt, which names the version, at a row that was changed.
        """
        begin = self.at
        end = self._checked.end(self._owner, begin, rows)
        if end is None or self._has_head_within(begin, end):
            return self._followed(begin, rows)
        self.at = end
        self._compare(end)
        return rows

    def _followed(self, begin: Link, rows: Sequence[Body]) -> Iterator[Body]:
        for row in rows:
            self._check_types(row)
            self._follow(Body._make(row))
            yield row
        self._checked.keep(self._owner, begin, rows, self.at)

    def _has_head_within(self, begin: Link, end: Link) -> bool:
        return self._head is not None and begin.version < self._head.version < end.version

    def _check_types(self, row: Body) -> None:
        try:
            check_types(Body, (row,))
        except Corrupt as error:
            raise Corrupt(f"conversation {self._conversation!r}: {error}") from error

    def _follow(self, row: Body) -> None:
        version, before = self.at
        if row.version != version + 1 and (version or row.version > 1):
            raise self._corrupt(row.version, f"comes after version {version}")
        if before is not None and row.previous != before:
            raise self._corrupt(row.version, _CHANGED)
        self.at = Link(row.version, self._digest(row))
        self._compare(self.at)

    def _digest(self, row: Body) -> bytes:
        try:
            made = row.commitments or commitments(row.parts)
            return digest(self._owner, row.version, row.topic, row.previous, row.skeleton, made)
        except StorageError as error:
            raise self._corrupt(row.version, f"cannot be read: {error}") from error

    def _compare(self, at: Link) -> None:
        head = self._head
        if head is not None and head.version == at.version and head.digest != at.digest:
            raise self._corrupt(head.version, "is not the row in the conversation's head")

    def finish(self) -> None:
        """Notes that no rows follow. Raises Corrupt if some must."""
        if self._head is not None and self.at.version < self._head.version:
            why = f"is in the head, but the rows end at version {self.at.version}"
            raise self._corrupt(self._head.version, why)

    def follow_back(self, row: Row) -> None:
        """Sets the row after the first one to be taken."""
        self._following = row

    def take_back(self, row: Row) -> None:
        """Takes the row before the last one taken; the newest comes first."""
        following = self._following
        here = Link(row.version, self._checked.digest(self._owner, row))
        if following is None:
            self.at = here
            self.finish()
        elif (following.version - 1, following.previous) != here:
            raise self._corrupt(following.version, _CHANGED)
        self._compare(here)
        self._following = row

    def finish_back(self) -> None:
        """Notes that no rows precede. Raises Corrupt if some must."""
        if self._following is None:
            self.finish()
        elif self._begin.digest not in (None, self._following.previous):
            raise self._corrupt(self._following.version, _CHANGED)

    def _corrupt(self, version: int, why: str) -> Corrupt:
        return Corrupt(f"conversation {self._conversation!r}, version {version} {why}")


AnyLinks = Links | Unchecked
