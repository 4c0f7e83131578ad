"""SQLite: the default log, one file.

One connection writes, under BEGIN IMMEDIATE; every thread reads on a connection of its own.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from weakref import finalize

from eventsourcing.persistence import IntegrityError

from turnlog.errors import ForeignDatabase, NewerFormat, Unavailable
from turnlog.storage.recorder import (
    Entry,
    Head,
    Mark,
    Recorder,
    Row,
    Snapshot,
    Stored,
    Table,
    readable,
)

APPLICATION_ID = 0x7475726E  # "turn"
SCHEMA_VERSION = 1
CHECKPOINT_PAGES = 4000
"""Pages the write-ahead log grows to (16 MB): fewer checkpoints, a fifth off each commit."""

BUSY_PAUSE = (0.0005, 0.002)
"""Seconds between two looks whether another process still writes."""

SCHEMA = """
CREATE TABLE commits (
    position INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL,
    version INTEGER NOT NULL,
    topic TEXT NOT NULL,
    key TEXT,
    previous BLOB NOT NULL,
    state BLOB NOT NULL
);
CREATE UNIQUE INDEX commits_by_version ON commits (conversation, version);
CREATE UNIQUE INDEX commits_by_key ON commits (conversation, key) WHERE key IS NOT NULL;
CREATE TABLE heads (
    conversation TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL,
    event INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    snapshot INTEGER NOT NULL,
    state BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE snapshots (
    conversation TEXT NOT NULL,
    version INTEGER NOT NULL,
    event INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    digest BLOB NOT NULL,
    state BLOB NOT NULL,
    previous INTEGER NOT NULL,
    PRIMARY KEY (conversation, version)
) WITHOUT ROWID;
CREATE TABLE marks (
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

UPGRADES: dict[int, str] = {}
"""Statements that turn the tables of a version into those of the next; there is one so far."""

_FORMAT = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
FROM pragma_application_id, pragma_user_version
"""
"""In one statement, so that nobody makes the tables in between."""

_ROW = "position, conversation, version, topic, key, previous, state"
_HEAD = "conversation, version, position, digest, event, turn, snapshot, state"
_SNAPSHOT = "conversation, version, event, turn, digest, state, previous"


class SqliteReader:
    """Reads on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _all(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error

    def _one(self, statement: str, parameters: Sequence[Any] = ()) -> Any:
        found = self._all(statement, parameters)
        return found[0] if found else None

    def last_position(self) -> int:
        position: int = self._one("SELECT coalesce(max(position), 0) FROM commits")[0]
        return position

    def head(self, conversation: str) -> Head | None:
        found = self._one(f"SELECT {_HEAD} FROM heads WHERE conversation = ?", (conversation,))
        return Head(*found) if found else None

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        statement = f"SELECT {_HEAD} FROM heads WHERE conversation > ? ORDER BY 1 LIMIT ?"
        return [Head(*found) for found in self._all(statement, (after, limit))]

    def rows(
        self, conversation: str, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        statement = (
            f"SELECT {_ROW} FROM commits WHERE conversation = ? AND version > ? AND version <= ?"
            " ORDER BY version LIMIT ?"
        )
        last = 2**62 if upto is None else upto
        count = -1 if limit is None else limit
        return [Row._make(r) for r in self._all(statement, (conversation, after, last, count))]

    def rows_newest_first(self, conversation: str, before: int, limit: int) -> Sequence[Row]:
        statement = (
            f"SELECT {_ROW} FROM commits WHERE conversation = ? AND version < ?"
            " ORDER BY version DESC LIMIT ?"
        )
        return [Row._make(r) for r in self._all(statement, (conversation, before, limit))]

    def keyed(self, conversation: str, key: str) -> Row | None:
        statement = f"SELECT {_ROW} FROM commits WHERE conversation = ? AND key = ?"
        found = self._one(statement, (conversation, key))
        return Row._make(found) if found else None

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        marks = ", ".join("?" * len(conversations))
        statement = f"SELECT {_HEAD} FROM heads WHERE conversation IN ({marks})"
        return [Head(*found) for found in self._all(statement, conversations)]

    def keyed_rows(self, keys: Sequence[tuple[str, str]]) -> Sequence[Row]:
        if not keys:
            return []
        marks = ", ".join(["(?, ?)"] * len(keys))
        statement = (
            f"WITH asked (name, id) AS (VALUES {marks}) SELECT {_ROW} FROM asked"
            " CROSS JOIN commits ON conversation = name AND key = id"
        )
        return [
            Row._make(r) for r in self._all(statement, [part for pair in keys for part in pair])
        ]

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        statement = f"SELECT {_ROW} FROM commits WHERE position > ? ORDER BY position LIMIT ?"
        return [Row._make(r) for r in self._all(statement, (after, limit))]

    def snapshot(
        self, conversation: str, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        statement = (
            f"SELECT {_SNAPSHOT} FROM snapshots WHERE conversation = ? AND event <= ? AND turn <= ?"
            " ORDER BY version DESC LIMIT 1"
        )
        limits = (2**62 if event is None else event, 2**62 if turn is None else turn)
        found = self._one(statement, (conversation, *limits))
        return Snapshot(*found) if found else None

    def snapshots(self, conversation: str) -> Sequence[Snapshot]:
        statement = f"SELECT {_SNAPSHOT} FROM snapshots WHERE conversation = ? ORDER BY version"
        return [Snapshot(*found) for found in self._all(statement, (conversation,))]

    def mark(self, model: str) -> Mark | None:
        found = self._one("SELECT model, position, digest FROM marks WHERE model = ?", (model,))
        return Mark(*found) if found else None

    def marks(self) -> Sequence[Mark]:
        return [Mark(*found) for found in self._all("SELECT model, position, digest FROM marks")]

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        statement = "SELECT value FROM models WHERE model = ? AND conversation = ? AND key = ?"
        found = self._one(statement, (model, conversation, key))
        return found[0] if found else None

    def entries(
        self, model: str, conversation: str | None = None, prefix: str = ""
    ) -> Iterator[tuple[str, str, bytes]]:
        where, parameters = "model = ? AND key >= ?", [model, prefix]
        if conversation is not None:
            where, parameters = f"{where} AND conversation = ?", [*parameters, conversation]
        if after := _after_prefix(prefix):
            where, parameters = f"{where} AND key < ?", [*parameters, after]
        statement = (
            f"SELECT conversation, key, value FROM models WHERE {where} ORDER BY conversation, key"
        )
        return iter(self._all(statement, parameters))


_EVERY: dict[Table, tuple[str, Callable[[Any], Stored]]] = {
    "commits": (f"SELECT {_ROW} FROM commits ORDER BY conversation, version", Row._make),
    "heads": (f"SELECT {_HEAD} FROM heads ORDER BY 1", Head._make),
    "snapshots": (
        f"SELECT {_SNAPSHOT} FROM snapshots ORDER BY conversation, version",
        Snapshot._make,
    ),
    "marks": ("SELECT model, position, digest FROM marks ORDER BY 1", Mark._make),
    "models": ("SELECT model, conversation, key, value FROM models ORDER BY 1, 2, 3", Entry._make),
}


class SqliteScan(SqliteReader):
    """Reads in one transaction, on a connection that takes any bytes for a text."""

    def every(self, table: Table) -> Iterator[Stored]:
        statement, kind = _EVERY[table]
        try:
            for found in self._connection.execute(statement):
                yield kind(found)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def complaints(self) -> Iterator[str]:
        for (found,) in self._all("PRAGMA integrity_check"):
            if found != "ok":
                yield found
        yield from _schema_faults(self._connection)


class SqliteTransaction(SqliteReader):
    """Writes on the writer's connection, between BEGIN IMMEDIATE and COMMIT."""

    def _many(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        try:
            if len(parameters) == 1:
                self._connection.execute(statement, parameters[0])
            elif parameters:
                self._connection.executemany(statement, parameters)
        except sqlite3.Error as error:
            raise _translated(error) from error

    def append(self, rows: Sequence[Row]) -> None:
        self._many("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def put_heads(self, heads: Sequence[Head]) -> None:
        self._many("INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?, ?, ?, ?, ?)", heads)

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        self._many("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)", snapshots)

    def put_mark(self, mark: Mark) -> None:
        self._many("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", [mark])

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        kept = [(model, c, k, value) for c, k, value in entries if value is not None]
        gone = [(model, c, k) for c, k, value in entries if value is None]
        self._many("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", kept)
        self._many("DELETE FROM models WHERE model = ? AND conversation = ? AND key = ?", gone)

    def clear(self, model: str) -> None:
        self._many("DELETE FROM models WHERE model = ?", [(model,)])
        self._many("DELETE FROM marks WHERE model = ?", [(model,)])


class SqliteRecorder(Recorder):
    """synchronous: FULL (durable through a power cut) or NORMAL (through a crash of the process).

    timeout: seconds to wait for another process that writes.
    """

    def __init__(self, path: str, *, synchronous: str = "FULL", timeout: float = 30.0) -> None:
        super().__init__()
        self.url = f"sqlite:///{path}"
        self._path = path
        self._synchronous = synchronous
        self._timeout = timeout
        self._lock = threading.RLock()
        self._local = threading.local()
        self._opening = threading.Lock()
        self._closers: list[finalize[..., SqliteReader]] = []
        self._writer = self._connect()
        self._prepare()

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error
        return connection

    def _prepare(self) -> None:
        try:
            connection = self._writer
            application, version, tables = connection.execute(_FORMAT).fetchone()
            if application != APPLICATION_ID and tables:
                raise ForeignDatabase(f"{self._path}: this database is not a turnlog log")
            if tables and version > SCHEMA_VERSION:
                raise NewerFormat(
                    f"{self._path}: written with schema {version}, this turnlog knows"
                    f" {SCHEMA_VERSION}"
                )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute("PRAGMA busy_timeout = 0")  # `_begin` waits
            if not tables or version < SCHEMA_VERSION:
                self._create()
        except sqlite3.Error as error:
            self.close()
            raise _translated(error, self._path) from error
        except Exception:
            self.close()
            raise

    def _create(self) -> None:
        """Make the tables, or bring those of an older turnlog up to date; no row is rewritten."""
        with self.transaction():
            _, version, tables = self._writer.execute(_FORMAT).fetchone()
            due = [UPGRADES[n] for n in range(version, SCHEMA_VERSION)] if tables else [SCHEMA]
            for statement in ";".join(due).split(";"):
                self._writer.execute(statement)
            self._writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _begin(self) -> None:
        """Take the write lock, asking for it at short uneven times.

        SQLite's own busy handler asks ever more seldom, so that who has waited long waits longer.
        """
        until = time.monotonic() + self._timeout
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(random.uniform(*BUSY_PAUSE))

    @contextmanager
    def transaction(self) -> Iterator[SqliteTransaction]:
        with self._lock:
            try:
                self._begin()
                try:
                    yield SqliteTransaction(self._writer)
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise _translated(error, self._path) from error
        self.bell.ring()

    @contextmanager
    def scan(self) -> Iterator[SqliteScan]:
        connection = self._connect()
        connection.text_factory = readable
        try:
            connection.execute("BEGIN")
            yield SqliteScan(connection)
        finally:
            connection.close()

    @property
    def reader(self) -> SqliteReader:
        """The thread's own; its connection ends with the thread."""
        reader: SqliteReader | None = getattr(self._local, "reader", None)
        if reader is None:
            connection = self._connect()
            reader = self._local.reader = SqliteReader(connection)
            with self._opening:
                alive = [closer for closer in self._closers if closer.alive]
                self._closers = [*alive, finalize(reader, connection.close)]
        return reader

    def close(self) -> None:
        for closer in self._closers:
            closer()
        self._writer.close()


def _schema_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """How tables, indexes and triggers differ from what this version makes."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        wanted = _schema(fresh)
    found = _schema(connection)
    for name in sorted(wanted.keys() | found.keys(), key=str):
        if wanted.get(name) != found.get(name):
            yield f"{name} in the database's schema is not as turnlog made it"


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


def _translated(error: sqlite3.Error, path: str = "") -> Exception:
    """eventsourcing's or our own error for one of SQLite's."""
    where = f"{path}: " if path else ""
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError(str(error))
    if "not a database" in str(error):
        return ForeignDatabase(f"{where}this file is not a SQLite database")
    return Unavailable(f"{where}the database cannot be used: {error}")
