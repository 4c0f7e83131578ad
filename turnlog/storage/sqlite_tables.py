"""The tables of a log in SQLite, and the statements that read and write them."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from functools import cache
from typing import Any, cast

from eventsourcing.persistence import IntegrityError

from turnlog.domain.amounts import amount
from turnlog.errors import Corrupt, ForeignDatabase, Unavailable
from turnlog.storage import forks
from turnlog.storage.rows import (
    HEADS,
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
    after_keys,
    check_nothing,
    check_types,
    genesis_in,
    lookup_left,
    lookup_of,
)
from turnlog.storage.sqlite_damage import Damage

SCHEMA = """
CREATE TABLE rows_t1 (
    position INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    previous BLOB NOT NULL,
    skeleton BLOB NOT NULL,
    commitments BLOB NOT NULL,
    parts BLOB NOT NULL
);
CREATE UNIQUE INDEX rows_by_version ON rows_t1 (stream, version);
CREATE TABLE streams (
    stream INTEGER PRIMARY KEY,
    life INTEGER NOT NULL,
    owner BLOB NOT NULL,
    name BLOB,
    lookup BLOB
);
CREATE UNIQUE INDEX streams_by_lookup ON streams (lookup, life) WHERE lookup IS NOT NULL;
CREATE TABLE secrets (secret BLOB NOT NULL);
CREATE TABLE keys (
    lookup BLOB PRIMARY KEY,
    position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE heads (
    conversation TEXT PRIMARY KEY,
    stream INTEGER NOT NULL,
    owner BLOB NOT NULL,
    life INTEGER NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    event INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    snapshot INTEGER NOT NULL,
    state BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE snapshots (
    stream INTEGER NOT NULL,
    version INTEGER NOT NULL,
    event INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    digest BLOB NOT NULL,
    state BLOB NOT NULL,
    previous INTEGER NOT NULL,
    PRIMARY KEY (stream, version)
) WITHOUT ROWID;
CREATE TABLE blobs (
    name BLOB NOT NULL,
    number INTEGER NOT NULL,
    content BLOB NOT NULL
);
CREATE UNIQUE INDEX blobs_by_name ON blobs (name, number);
CREATE TABLE checkpoints (
    model TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    digest BLOB
) WITHOUT ROWID;
CREATE TABLE models (
    model TEXT NOT NULL,
    conversation TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (model, conversation, key)
) WITHOUT ROWID;
"""

_COLUMNS = "position, stream, version, topic, previous, skeleton, commitments, parts"
_ROWS = f"SELECT {_COLUMNS}, owner, name, life FROM rows_t1 JOIN streams USING (stream)"
_BODY = "position, version, topic, previous, skeleton, commitments, parts"
_STREAM = "stream, life, owner, name"
_HEAD = "conversation, stream, owner, life, version, position, digest, event, turn, snapshot, state"
_SNAPSHOT = "stream, version, event, turn, digest, state, previous"
_CHUNK = "name, number, content"
_OF = "stream = (SELECT stream FROM streams WHERE lookup = ? ORDER BY life DESC LIMIT 1)"
_OF_LIFE = "stream = (SELECT stream FROM streams WHERE lookup = ? AND life = ?)"
"""Of the newest life of a conversation, or of a given one."""

# An update in place writes fewer pages than a replacement, which takes the row out first.
_PUT_HEAD = (
    f"INSERT INTO heads ({_HEAD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (conversation) DO UPDATE SET stream = excluded.stream, owner = excluded.owner,"
    " life = excluded.life, version = excluded.version,"
    " position = excluded.position, digest = excluded.digest, event = excluded.event,"
    " turn = excluded.turn, snapshot = excluded.snapshot, state = excluded.state"
)


class InheritedConnection:
    """In the place of a connection that the parent of a forked process has, and of its cursor."""

    in_transaction = False
    seen = None

    def __init__(self, error: Exception) -> None:
        self._error = error

    def execute(self, *asked: Any) -> Any:
        raise self._error

    executemany = execute

    def close(self) -> None:
        """It is the parent's to close."""


class SqliteReader:
    """Reads on one connection; `using` is held meanwhile, for whoever wants to close it."""

    def __init__(self, connection: sqlite3.Connection, damage: Damage, secret: bytes = b"") -> None:
        self._connection = connection
        self._damage = damage
        self.secret = secret
        self._cursor = connection.cursor()  # one for all: each costs as much as a short statement
        self.using = threading.Lock()

    @property
    def connection(self) -> sqlite3.Connection:
        return self._connection

    def refuse(self, error: Exception) -> None:
        """Ask nothing more of the connection, which is another process's: raise an error."""
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
        """A cursor that failed at a row goes on holding its lock."""
        with self.using, suppress(sqlite3.ProgrammingError):  # of a connection that was closed
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
        """None where the log has not begun."""
        rows = self._all(f"SELECT {_COLUMNS} FROM rows_t1 WHERE position = 0")
        secrets = self._all("SELECT secret FROM secrets")
        return genesis_in(rows, secrets)

    def last_position(self) -> int:
        position: int = self._one("SELECT coalesce(max(position), 0) FROM rows_t1")[0]
        return position

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        where, of = self._of(conversation, life)
        return _first(self._found(Stream, f"SELECT {_STREAM} FROM streams WHERE {where}", of))

    def stream_of(self, number: int) -> Stream | None:
        statement = f"SELECT {_STREAM} FROM streams WHERE stream = ?"
        return _first(self._found(Stream, statement, (number,)))

    def _of(self, conversation: str, life: int | None = None) -> tuple[str, tuple[Any, ...]]:
        lookup = lookup_of(self.secret, conversation)
        return (_OF, (lookup,)) if life is None else (_OF_LIFE, (lookup, life))

    def head(self, conversation: str) -> Head | None:
        statement = f"SELECT {_HEAD} FROM heads WHERE conversation = ?"
        return _first(self._found(Head, statement, (conversation,)))

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        statement = f"SELECT {_HEAD} FROM heads WHERE conversation > ? ORDER BY 1 LIMIT ?"
        return self._found(Head, statement, (after, limit))

    def rows(
        self, stream: int, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        statement = (
            f"{_ROWS} WHERE stream = ? AND version > ? AND version <= ? ORDER BY version LIMIT ?"
        )
        last = 2**62 if upto is None else upto
        count = -1 if limit is None else limit
        return self._found(Row, statement, (stream, after, last, count))

    def bodies(self, stream: int, after: int = 0, limit: int | None = None) -> Sequence[Body]:
        statement = (
            f"SELECT {_BODY} FROM rows_t1 WHERE stream = ? AND version > ? ORDER BY version LIMIT ?"
        )
        return self._all(statement, (stream, after, -1 if limit is None else limit))

    def rows_newest_first(self, stream: int, before: int, limit: int) -> Sequence[Row]:
        statement = f"{_ROWS} WHERE stream = ? AND version < ? ORDER BY version DESC LIMIT ?"
        return self._found(Row, statement, (stream, before, limit))

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        marks = ", ".join("?" * len(lookups))
        statement = (
            f"{_ROWS} WHERE position IN (SELECT position FROM keys WHERE lookup IN ({marks}))"
        )
        return self._found(Row, statement, lookups)

    def keyed_rows_under(self, prefix: bytes) -> Sequence[Row]:
        statement = (
            f"{_ROWS} WHERE position IN"
            " (SELECT position FROM keys WHERE lookup >= ? AND lookup < ?) ORDER BY position"
        )
        return self._found(Row, statement, (prefix, after_keys(prefix)))

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        marks = ", ".join("?" * len(conversations))
        statement = f"SELECT {_HEAD} FROM heads WHERE conversation IN ({marks})"
        return self._found(Head, statement, conversations)

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        statement = f"{_ROWS} WHERE position > ? ORDER BY position LIMIT ?"
        return self._found(Row, statement, (after, limit))

    def snapshot(
        self, stream: int, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        statement = (
            f"SELECT {_SNAPSHOT} FROM snapshots WHERE stream = ? AND event <= ? AND turn <= ?"
            " ORDER BY version DESC LIMIT 1"
        )
        limits = (2**62 if event is None else event, 2**62 if turn is None else turn)
        return _first(self._found(Snapshot, statement, (stream, *limits)))

    def snapshots(self, stream: int) -> Sequence[Snapshot]:
        statement = f"SELECT {_SNAPSHOT} FROM snapshots WHERE stream = ? ORDER BY version"
        return self._found(Snapshot, statement, (stream,))

    def chunks(self, name: bytes, first: int, count: int) -> Sequence[BlobChunk]:
        statement = f"SELECT {_CHUNK} FROM blobs WHERE name = ? AND number >= ? ORDER BY 2 LIMIT ?"
        return self._found(BlobChunk, statement, (name, first, count))

    def stored(self, name: bytes | None = None) -> tuple[int, int]:
        named, given = ("", ()) if name is None else (" AND name = ?", (name,))
        statement = (
            "SELECT count(*), coalesce(sum(length(content)), 0) FROM blobs"
            f" WHERE number >= 0{named}"
        )
        [(chunks, bytes)] = self._all(statement, given)
        return chunks, bytes

    def attachment_names(self) -> Sequence[bytes]:
        return [name for (name,) in self._all("SELECT DISTINCT name FROM blobs")]

    def checkpoint(self, model: str) -> Checkpoint | None:
        statement = "SELECT model, position, digest FROM checkpoints WHERE model = ?"
        return _first(self._found(Checkpoint, statement, (model,)))

    def checkpoints(self) -> Sequence[Checkpoint]:
        return self._found(Checkpoint, "SELECT model, position, digest FROM checkpoints")

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
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
    Head: (f"SELECT {_HEAD} FROM heads ORDER BY 1", Head._make),
    Snapshot: (f"SELECT {_SNAPSHOT} FROM snapshots ORDER BY stream, version", Snapshot._make),
    Checkpoint: ("SELECT model, position, digest FROM checkpoints ORDER BY 1", Checkpoint._make),
    Entry: ("SELECT model, conversation, key, value FROM models ORDER BY 1, 2, 3", Entry._make),
}


INSERT_ROW = "INSERT INTO rows_t1 VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@cache
def insert_next_row(keys: int) -> str:
    """A row behind the one before it alone, unless one of so many keys is there.

    One that was cut off meanwhile leaves no gap.
    """
    marks = ", ".join(f"?{9 + key}" for key in range(keys))
    unless = f" AND NOT EXISTS (SELECT 1 FROM keys WHERE lookup IN ({marks}))" if keys else ""
    return (
        "INSERT INTO rows_t1 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
        f" WHERE (SELECT max(position) FROM rows_t1) = ?1 - 1{unless}"
    )


_LEFT_LOOKUPS = "SELECT stream FROM streams WHERE name IS NULL AND lookup IS NOT NULL"


class SqliteScan(SqliteReader):
    """Reads in one transaction, on a connection that takes any bytes for a text."""

    _check = staticmethod(check_nothing)

    def at_once(self) -> AbstractContextManager[SqliteScan]:
        return nullcontext(self)

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        statement, made = _EVERY[kind]
        yield from map(made, self._streamed(statement))

    def rows_between(self, first: int, last: int) -> Iterator[Row]:
        statement = f"{_EVERY_ROW} AND stream BETWEEN ? AND ? ORDER BY stream, version"
        yield from map(Row._make, self._streamed(statement, (first, last)))

    def _streamed(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Any]:
        try:
            yield from self._connection.execute(statement, parameters)
        except sqlite3.Error as error:
            self._damage.note(error)
            raise translated(error) from error

    def complaints(self) -> Iterator[str]:
        for (found,) in self._all("PRAGMA integrity_check"):
            if found != "ok":
                yield found
        yield from _schema_faults(self._connection)
        yield from self._texts_for_bytes()
        for (stream,) in self._all(_LEFT_LOOKUPS):
            yield lookup_left(stream)

    def _texts_for_bytes(self) -> Iterator[str]:
        """Cells that read alike, but that an index does not find."""
        for table, names in _blobs():
            counts = ", ".join(f"sum(typeof({name}) = 'text')" for name in names)
            [found] = self._all(f"SELECT {counts} FROM {table}")
            for name, count in zip(names, found, strict=True):
                if count:
                    cells = amount(count, "cell")
                    yield f"{table}: {cells} of the column {name} not of its type"


class SqliteTransaction(SqliteReader):
    """Writes on the writer's connection, between BEGIN IMMEDIATE and COMMIT."""

    def _many(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        try:
            if len(parameters) == 1:
                self._cursor.execute(statement, parameters[0])
            elif parameters:
                self._cursor.executemany(statement, parameters)
        except sqlite3.Error as error:
            self._damage.note(error)
            raise translated(error) from error
        except OverflowError as error:  # one more than a number that somebody made so large
            raise Corrupt(f"a number of the log is too large: {error}") from error

    def put_genesis(self, genesis: Genesis) -> None:
        """Make an empty log begin as another one did."""
        self._many("DELETE FROM secrets", [()])
        self._many("DELETE FROM rows_t1 WHERE position = 0", [()])
        self._many("INSERT INTO secrets VALUES (?)", [(genesis.secret,)])
        self._many(INSERT_ROW, [genesis.columns()])
        self.secret = genesis.secret

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        """Refuses keys that the table has; new ones wait for `put_keys`, the tail knows them."""
        if streams:
            lookups = [stream.lookup(self.secret) for stream in streams]
            self._many(
                "INSERT INTO streams VALUES (?, ?, ?, ?, ?)",
                [(*stream, lookup) for stream, lookup in zip(streams, lookups, strict=True)],
            )
        self._many(INSERT_ROW, [row[:8] for row in rows])
        for key in keys:
            if self._all("SELECT 1 FROM keys WHERE lookup = ?", (key.lookup,)):
                raise IntegrityError("a key is there")

    def put_keys(self, keys: Sequence[Key]) -> None:
        self._many("INSERT OR IGNORE INTO keys VALUES (?, ?)", sorted(keys))

    def put_heads(self, heads: Sequence[Head]) -> None:
        self._many(_PUT_HEAD, heads)

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        self._many("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)", snapshots)

    def drop_snapshots(self, stream: int) -> None:
        self._many("DELETE FROM snapshots WHERE stream = ?", [(stream,)])

    def put_chunks(self, chunks: Sequence[BlobChunk]) -> None:
        self._many("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)", chunks)

    def drop_chunks(self, name: bytes, below: int) -> None:
        self._many("DELETE FROM blobs WHERE name = ? AND number < ?", [(name, below)])

    def put_parts(self, parts: Sequence[tuple[int, bytes, bytes]]) -> None:
        self._many(
            "UPDATE rows_t1 SET commitments = ?, parts = ? WHERE position = ?",
            [(commitments, left, position) for position, commitments, left in parts],
        )

    def drop_name(self, stream: int) -> None:
        self._many("UPDATE streams SET name = NULL, lookup = NULL WHERE stream = ?", [(stream,)])

    def drop_head(self, conversation: str) -> None:
        self._many("DELETE FROM heads WHERE conversation = ?", [(conversation,)])

    def drop_keys(self, prefix: bytes) -> None:
        between = (prefix, after_keys(prefix))
        self._many("DELETE FROM keys WHERE lookup >= ? AND lookup < ?", [between])

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._many("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", [checkpoint])

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        kept = [(model, c, k, value) for c, k, value in entries if value is not None]
        gone = [(model, c, k) for c, k, value in entries if value is None]
        self._many("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", kept)
        self._many("DELETE FROM models WHERE model = ? AND conversation = ? AND key = ?", gone)

    def clear(self, model: str) -> None:
        for table in ("heads", "keys", "snapshots") if model == HEADS else ():
            self._many(f"DELETE FROM {table}", [()])
        self._many("DELETE FROM models WHERE model = ?", [(model,)])
        self._many("DELETE FROM checkpoints WHERE model = ?", [(model,)])


def _schema_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """How tables, indexes and triggers differ from what this version makes."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        wanted = _schema(fresh)
    found = _schema(connection)
    for name in sorted(wanted.keys() | found.keys(), key=str):
        if wanted.get(name) != found.get(name):
            yield f"{name} in the database's schema is not as turnlog made it"


def _blobs() -> Iterator[tuple[str, list[str]]]:
    """The tables, and their columns that hold bytes."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        for table, sql in _schema(fresh).items():
            if sql.startswith("CREATE TABLE"):
                columns = fresh.execute(f"PRAGMA table_info({table})").fetchall()
                if names := [name for _, name, kind, *_ in columns if kind == "BLOB"]:
                    yield table, names


def _schema(connection: sqlite3.Connection) -> dict[Any, Any]:
    statement = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return dict(connection.execute(statement).fetchall())


def _after_prefix(prefix: str) -> str | None:
    """The least text above all that begin with the prefix (SQL's functions stop at a NUL)."""
    kept = prefix.rstrip(chr(sys.maxunicode))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if 0xD800 <= following < 0xE000 else following)


def translated(error: sqlite3.Error | UnicodeDecodeError, path: str = "") -> Exception:
    """eventsourcing's or our own error for one of SQLite's.

    UnicodeDecodeError: what Python makes of an error of SQLite that quotes a damaged schema.
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
