"""Scans of the tables in PostgreSQL: read in pages, without one long snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, LiteralString, NamedTuple

from turnlog.storage.postgres_tables import (
    HEAD,
    ROW,
    SNAPSHOT,
    STREAM,
    Lent,
    PostgresReader,
    checkpoint_of,
    entry_of,
    head_of,
    row_of,
)
from turnlog.storage.rows import (
    Checkpoint,
    Entry,
    Head,
    Key,
    Row,
    SealedRow,
    Snapshot,
    Stored,
    Stream,
    as_found,
    lookup_left,
)

PAGE_ROWS = 500
"""The number of rows that one statement reads."""


class _Table(NamedTuple):
    """A table read in order of its key. key_columns: the places of the key's columns."""

    columns: LiteralString
    source: LiteralString
    key: LiteralString
    places: LiteralString
    key_columns: tuple[int, ...]


_EVERY_ROW = _Table(
    ROW + ", coalesce(owner, ''), name, coalesce(life, 0), digest",
    "turnlog_rows_t1 LEFT JOIN turnlog_streams USING (stream)",
    "stream, version",
    "%b::bigint, %b::bigint",
    (1, 2),
)
_EVERY: dict[type, tuple[_Table, Callable[[Any], Any]]] = {
    Stream: (_Table(STREAM, "turnlog_streams", "stream", "%b::bigint", (0,)), Stream._make),
    Key: (_Table("lookup, position", "turnlog_keys", "lookup", "%b::bytea", (0,)), Key._make),
    Head: (_Table(HEAD, "turnlog_heads", "conversation", "%b::bytea", (0,)), head_of),
    Snapshot: (
        _Table(SNAPSHOT, "turnlog_snapshots", "stream, version", "%b::bigint, %b::bigint", (0, 1)),
        Snapshot._make,
    ),
    Checkpoint: (
        _Table("model, position, digest", "turnlog_checkpoints", "model", "%b::bytea", (0,)),
        checkpoint_of,
    ),
    Entry: (
        _Table(
            "model, conversation, key, value",
            "turnlog_models",
            "model, conversation, key",
            "%b::bytea, %b::bytea, %b::bytea",
            (0, 1, 2),
        ),
        entry_of,
    ),
}


def _sealed(found: Any) -> Row:
    *columns, seal = found
    row = SealedRow._make(row_of(columns))
    row.seal = seal
    return row


class PostgresScan(PostgresReader):
    """Reads one page at a time, each in its own transaction, so that no snapshot is held."""

    _taken = staticmethod(as_found)

    def __init__(self, lent: Lent, secret: bytes, moment: Lent) -> None:
        """moment: lends a connection that reads everything as of its first read."""
        super().__init__(lent, secret)
        self._moment = moment
        self._last: int | None = None

    def last_position(self) -> int:
        """See `Scan.last_position`."""
        if self._last is None:
            self._last = super().last_position()
        return self._last

    @contextmanager
    def at_once(self) -> Iterator[PostgresScan]:
        """See `Scan.at_once`."""
        with self._moment() as connection:
            yield PostgresScan(lambda: nullcontext(connection), self.secret, self._moment)

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        """See `Scan.every`."""
        if kind is Row:
            rows: Iterator[Any] = self.rows_between(-(2**63), 2**63 - 1)
            return rows
        table, made = _EVERY[kind]
        return map(made, self._pages(table))

    def rows_between(self, first: int, last: int) -> Iterator[Row]:
        """See `Scan.rows_between`."""
        where: LiteralString = "position <> 0 AND position <= %b AND stream BETWEEN %b AND %b"
        limits = (self.last_position(), first, last)
        return map(_sealed, self._pages(_EVERY_ROW, where, limits))

    def _pages(
        self, table: _Table, where: LiteralString = "true", parameters: Sequence[Any] = ()
    ) -> Iterator[Any]:
        statement: LiteralString = f"SELECT {table.columns} FROM {table.source} WHERE {where}"
        limit: LiteralString = f"LIMIT {PAGE_ROWS}"  # pyright: ignore[reportAssignmentType]
        order: LiteralString = f"ORDER BY {table.key} {limit}"
        page = self._all(f"{statement} {order}", parameters)
        yield from page
        onwards: LiteralString = f"{statement} AND ({table.key}) > ({table.places}) {order}"
        while len(page) == PAGE_ROWS:
            place = [page[-1][index] for index in table.key_columns]
            page = self._all(onwards, [*parameters, *place])
            yield from page

    def complaints(self) -> Iterator[str]:
        """See `Scan.complaints`; PostgreSQL checks its own pages and keys."""
        statement: LiteralString = (
            "SELECT stream FROM turnlog_streams WHERE name IS NULL AND lookup IS NOT NULL"
        )
        return (lookup_left(stream) for (stream,) in self._all(statement))
