"""The tables of a log in SQLite, and the statements that read and write them."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from typing import Any, cast

from eventsourcing.persistence import IntegrityError

from turnlog.domain.amounts import amount
from turnlog.errors import Corrupt, ForeignDatabase, Unavailable
from turnlog.storage import forks
from turnlog.storage.lookups import after_keys, lookup_of
from turnlog.storage.rows import (
    BlobChunk,
    Body,
    Checkpoint,
    Entry,
    Genesis,
    Head,
    Key,
    Row,
    Snapshot,
    Stored,
    Stream,
    check_nothing,
    check_types,
    genesis_in,
    lookup_left,
)
from turnlog.storage.sqlite_damage import Damage
from turnlog.storage.sqlite_schema import blob_columns, schema_faults

_COLUMNS = "position, stream, version, topic, previous, skeleton, commitments, parts"
_ROWS = f"SELECT {_COLUMNS}, owner, name, life FROM rows_t1 JOIN streams USING (stream)"
_BODY = "position, version, topic, previous, skeleton, commitments, parts"
_STREAM = "stream, life, owner, name"
HEAD_COLUMNS = (
    "conversation, stream, owner, life, version, position, digest, event, turn, snapshot, state"
)
_SNAPSHOT = "stream, version, event, turn, digest, state, previous"
_CHUNK = "name, number, content"
_OF = "stream = (SELECT stream FROM streams WHERE lookup = ? ORDER BY life DESC LIMIT 1)"
_OF_LIFE = "stream = (SELECT stream FROM streams WHERE lookup = ? AND life = ?)"
"""The streams of the newest life of a conversation, and of a given life."""


class InheritedConnection:
    """Replaces the parent's connection and cursor in a fork. Every use raises an error."""

    in_transaction = False
    seen = None

    def __init__(self, error: Exception) -> None:
        self._error = error

    def execute(self, *asked: Any) -> Any:
        """Raises the error."""
        raise self._error

    executemany = execute

    def close(self) -> None:
        """Does nothing, because the parent closes it."""


class SqliteReader:
    """Reads on one connection. `using` is held meanwhile, so that no thread closes it."""

    def __init__(self, connection: sqlite3.Connection, damage: Damage, secret: bytes = b"") -> None:
        self._connection = connection
        self._damage = damage
        self.secret = secret
        self._cursor = connection.cursor()  # making one costs as much as a short statement
        self.using = threading.Lock()

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection."""
        return self._connection

    def refuse(self, error: Exception) -> None:
        """Makes every further use raise an error, because the connection belongs to another
        process.
        """
        for kept in (self._cursor, self._connection):
            forks.never_freed(kept)
        self._connection = self._cursor = cast(Any, InheritedConnection(error))
        self.using = threading.Lock()

    def _all(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        try:
            with self.using:
                return self._cursor.execute(statement, parameters).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            self._damage.note(error)
            self._let_go()
            raise translated(error) from error

    def _let_go(self) -> None:
        """Closes a cursor that failed at a row, which would otherwise keep its lock."""
        with self.using, suppress(sqlite3.ProgrammingError):  # the connection may be closed
            self._cursor.close()
            self._cursor = self._connection.cursor()

    def _one(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        found = self._all(statement, parameters)
        return found[0] if found else None

    _check = staticmethod(check_types)

    def _found(
        self, kind: type[Stored], statement: str, parameters: Sequence[Any] = ()
    ) -> list[Stored]:
        found = self._all(statement, parameters)
        self._check(kind, found)
        return list(map(kind._make, found))

    def genesis(self) -> Genesis | None:
        """The genesis; None if the log has not begun."""
        rows = self._all(f"SELECT {_COLUMNS} FROM rows_t1 WHERE position = 0")
        secrets = self._all("SELECT secret FROM secrets")
        return genesis_in(rows, secrets)

    def last_position(self) -> int:
        """See `Reader.last_position`."""
        position: int = self._one("SELECT coalesce(max(position), 0) FROM rows_t1")[0]
        return position

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        """See `Reader.stream`."""
        where, of = self._of(conversation, life)
        return _first(self._found(Stream, f"SELECT {_STREAM} FROM streams WHERE {where}", of))

    def stream_of(self, number: int) -> Stream | None:
        """See `Reader.stream_of`."""
        statement = f"SELECT {_STREAM} FROM streams WHERE stream = ?"
        return _first(self._found(Stream, statement, (number,)))

    def _of(self, conversation: str, life: int | None = None) -> tuple[str, tuple[Any, ...]]:
        lookup = lookup_of(self.secret, conversation)
        return (_OF, (lookup,)) if life is None else (_OF_LIFE, (lookup, life))

    def head(self, conversation: str) -> Head | None:
        """See `Reader.head`."""
        statement = f"SELECT {HEAD_COLUMNS} FROM heads WHERE conversation = ?"
        return _first(self._found(Head, statement, (conversation,)))

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """See `Reader.heads`."""
        statement = f"SELECT {HEAD_COLUMNS} FROM heads WHERE conversation > ? ORDER BY 1 LIMIT ?"
        return self._found(Head, statement, (after, limit))

    def rows(
        self, stream: int, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        """See `Reader.rows`."""
        statement = (
            f"{_ROWS} WHERE stream = ? AND version > ? AND version <= ? ORDER BY version LIMIT ?"
        )
        last = 2**62 if upto is None else upto
        count = -1 if limit is None else limit
        return self._found(Row, statement, (stream, after, last, count))

    def bodies(self, stream: int, after: int = 0, limit: int | None = None) -> Sequence[Body]:
        """See `Reader.bodies`."""
        statement = (
            f"SELECT {_BODY} FROM rows_t1 WHERE stream = ? AND version > ? ORDER BY version LIMIT ?"
        )
        return self._all(statement, (stream, after, -1 if limit is None else limit))

    def rows_newest_first(self, stream: int, before: int, limit: int) -> Sequence[Row]:
        """See `Reader.rows_newest_first`."""
        statement = f"{_ROWS} WHERE stream = ? AND version < ? ORDER BY version DESC LIMIT ?"
        return self._found(Row, statement, (stream, before, limit))

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        """See `Reader.keyed_rows`."""
        marks = ", ".join("?" * len(lookups))
        statement = (
            f"{_ROWS} WHERE position IN (SELECT position FROM keys WHERE lookup IN ({marks}))"
        )
        return self._found(Row, statement, lookups)

    def keyed_rows_under(self, prefix: bytes) -> Sequence[Row]:
        """See `Reader.keyed_rows_under`."""
        statement = (
            f"{_ROWS} WHERE position IN"
            " (SELECT position FROM keys WHERE lookup >= ? AND lookup < ?) ORDER BY position"
        )
        return self._found(Row, statement, (prefix, after_keys(prefix)))

    def heads_newest_first(self, before: int, limit: int) -> Sequence[Head]:
        """See `Reader.heads_newest_first`."""
        statement = (
            f"SELECT {HEAD_COLUMNS} FROM heads WHERE position < ? ORDER BY position DESC LIMIT ?"
        )
        return self._found(Head, statement, (before, limit))

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        """See `Reader.heads_of`."""
        marks = ", ".join("?" * len(conversations))
        statement = f"SELECT {HEAD_COLUMNS} FROM heads WHERE conversation IN ({marks})"
        return self._found(Head, statement, conversations)

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        """See `Reader.tail`."""
        statement = f"{_ROWS} WHERE position > ? ORDER BY position LIMIT ?"
        return self._found(Row, statement, (after, limit))

    def snapshot(
        self, stream: int, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        """See `Reader.snapshot`."""
        statement = (
            f"SELECT {_SNAPSHOT} FROM snapshots WHERE stream = ? AND event <= ? AND turn <= ?"
            " ORDER BY version DESC LIMIT 1"
        )
        limits = (2**62 if event is None else event, 2**62 if turn is None else turn)
        return _first(self._found(Snapshot, statement, (stream, *limits)))

    def snapshots(self, stream: int) -> Sequence[Snapshot]:
        """See `Reader.snapshots`."""
        statement = f"SELECT {_SNAPSHOT} FROM snapshots WHERE stream = ? ORDER BY version"
        return self._found(Snapshot, statement, (stream,))

    def chunks(self, name: bytes, first: int, count: int) -> Sequence[BlobChunk]:
        """See `Reader.chunks`."""
        statement = f"SELECT {_CHUNK} FROM blobs WHERE name = ? AND number >= ? ORDER BY 2 LIMIT ?"
        return self._found(BlobChunk, statement, (name, first, count))

    def stored(self, name: bytes | None = None) -> tuple[int, int]:
        """See `Reader.stored`."""
        named, given = ("", ()) if name is None else (" AND name = ?", (name,))
        statement = (
            "SELECT count(*), coalesce(sum(length(content)), 0) FROM blobs"
            f" WHERE number >= 0{named}"
        )
        [(chunks, bytes)] = self._all(statement, given)
        return chunks, bytes

    def attachment_names(self) -> Sequence[bytes]:
        """See `Reader.attachment_names`."""
        return [name for (name,) in self._all("SELECT DISTINCT name FROM blobs")]

    def checkpoint(self, model: str) -> Checkpoint | None:
        """See `Reader.checkpoint`."""
        statement = "SELECT model, position, digest FROM checkpoints WHERE model = ?"
        return _first(self._found(Checkpoint, statement, (model,)))

    def checkpoints(self) -> Sequence[Checkpoint]:
        """See `Reader.checkpoints`."""
        return self._found(Checkpoint, "SELECT model, position, digest FROM checkpoints")

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """See `Reader.get`."""
        statement = (
            "SELECT model, conversation, key, value FROM models"
            " WHERE model = ? AND conversation = ? AND key = ?"
        )
        found = _first(self._found(Entry, statement, (model, conversation, key)))
        return found.value if found else None

    def entries(
        self,
        model: str,
        conversation: str | None = None,
        prefix: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, str, bytes]]:
        """See `Reader.entries`."""
        parameters: list[Any]
        where, parameters = "model = ? AND key >= ?", [model, prefix]
        if conversation is not None:
            where, parameters = f"{where} AND conversation = ?", [*parameters, conversation]
        if after := _after_prefix(prefix):
            where, parameters = f"{where} AND key < ?", [*parameters, after]
        statement = (
            "SELECT model, conversation, key, value FROM models"
            f" WHERE {where} ORDER BY conversation, key LIMIT ?"
        )
        parameters = [*parameters, -1 if limit is None else limit]
        return (entry[1:] for entry in self._found(Entry, statement, parameters))

    def entries_of(self, model: str, conversations: Sequence[str]) -> Sequence[Entry]:
        """See `Reader.entries_of`."""
        marks = ", ".join("?" * len(conversations))
        statement = (
            "SELECT model, conversation, key, value FROM models"
            f" WHERE model = ? AND conversation IN ({marks})"
        )
        return self._found(Entry, statement, (model, *conversations))


def _first(found: Sequence[Stored]) -> Stored | None:
    return found[0] if found else None


_EVERY_ROW = (
    f"SELECT {_COLUMNS}, coalesce(owner, x''), name, coalesce(life, 0) FROM rows_t1"
    " LEFT JOIN streams USING (stream) WHERE position <> 0"
)

_EVERY: dict[type, tuple[str, Callable[[Any], Any]]] = {
    Row: (f"{_EVERY_ROW} ORDER BY stream, version", Row._make),
    Stream: (f"SELECT {_STREAM} FROM streams WHERE stream <> 0 ORDER BY stream", Stream._make),
    Key: ("SELECT lookup, position FROM keys ORDER BY lookup", Key._make),
    Head: (f"SELECT {HEAD_COLUMNS} FROM heads ORDER BY 1", Head._make),
    Snapshot: (f"SELECT {_SNAPSHOT} FROM snapshots ORDER BY stream, version", Snapshot._make),
    Checkpoint: ("SELECT model, position, digest FROM checkpoints ORDER BY 1", Checkpoint._make),
    Entry: ("SELECT model, conversation, key, value FROM models ORDER BY 1, 2, 3", Entry._make),
}


INSERT_ROW = "INSERT INTO rows_t1 VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@cache
def insert_next_row(keys: int) -> str:
    """The statement that inserts a row directly after the last, unless one of `keys` keys exists.

    A row whose statement is interrupted leaves no gap.
    """
    marks = ", ".join(f"?{9 + key}" for key in range(keys))
    unless = f" AND NOT EXISTS (SELECT 1 FROM keys WHERE lookup IN ({marks}))" if keys else ""
    return (
        "INSERT INTO rows_t1 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
        f" WHERE (SELECT max(position) FROM rows_t1) = ?1 - 1{unless}"
    )


_LEFT_LOOKUPS = "SELECT stream FROM streams WHERE name IS NULL AND lookup IS NOT NULL"


class SqliteScan(SqliteReader):
    """Reads in one transaction, on a connection that accepts any bytes as text."""

    _check = staticmethod(check_nothing)

    def at_once(self) -> AbstractContextManager[SqliteScan]:
        """See `Scan.at_once`."""
        return nullcontext(self)

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        """See `Scan.every`."""
        statement, made = _EVERY[kind]
        yield from map(made, self._streamed(statement))

    def rows_between(self, first: int, last: int) -> Iterator[Row]:
        """See `Scan.rows_between`."""
        statement = f"{_EVERY_ROW} AND stream BETWEEN ? AND ? ORDER BY stream, version"
        yield from map(Row._make, self._streamed(statement, (first, last)))

    def _streamed(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        try:
            yield from self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            self._damage.note(error)
            raise translated(error) from error

    def complaints(self) -> Iterator[str]:
        """See `Scan.complaints`."""
        for (found,) in self._all("PRAGMA integrity_check"):
            if found != "ok":
                yield found
        yield from schema_faults(self._connection)
        yield from self._texts_for_bytes()
        for (stream,) in self._all(_LEFT_LOOKUPS):
            yield lookup_left(stream)

    def _texts_for_bytes(self) -> Iterator[str]:
        """Cells that look alike but that an index does not find."""
        for table, names in blob_columns():
            counts = ", ".join(f"sum(typeof({name}) = 'text')" for name in names)
            [found] = self._all(f"SELECT {counts} FROM {table}")
            for name, count in zip(names, found, strict=True):
                if count:
                    cells = amount(count, "cell")
                    yield f"{table}: {cells} of the column {name} not of its type"


def _after_prefix(prefix: str) -> str | None:
    """The smallest text above all with a prefix (SQL's functions stop at a NUL)."""
    kept = prefix.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)


def translated(error: sqlite3.Error | UnicodeDecodeError, path: str = "") -> Exception:
    """Translates SQLite's errors into eventsourcing's or turnlog's own.

    A UnicodeDecodeError comes from Python, when SQLite's error quotes a damaged schema.
    """
    where = f"{path}: " if path else ""
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError(str(error))
    if "not a database" in str(error):
        return ForeignDatabase(f"{where}this file is not a SQLite database")
    is_decoding = isinstance(error, UnicodeDecodeError) or "decode to UTF-8" in str(error)
    if is_decoding or "malformed" in str(error):
        return Corrupt(f"{where}the database is damaged: {error}")
    return Unavailable(f"{where}the database cannot be used: {error}")
