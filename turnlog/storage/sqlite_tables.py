"""The tables of a log in SQLite, and the statements that read and write them."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

from eventsourcing.persistence import IntegrityError

from turnlog.errors import Corrupt, ForeignDatabase, Unavailable
from turnlog.storage.rows import (
    Body,
    Entry,
    Head,
    Mark,
    Row,
    Snapshot,
    Stored,
    check_nothing,
    check_types,
)
from turnlog.storage.sqlite_damage import Damage

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

_ROW = "position, conversation, version, topic, key, previous, state"
_HEAD = "conversation, version, position, digest, event, turn, snapshot, state"
_SNAPSHOT = "conversation, version, event, turn, digest, state, previous"

# An update in place writes fewer pages than a replacement, which takes the row out first.
_PUT_HEAD = (
    f"INSERT INTO heads ({_HEAD}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (conversation) DO UPDATE SET version = excluded.version,"
    " position = excluded.position, digest = excluded.digest, event = excluded.event,"
    " turn = excluded.turn, snapshot = excluded.snapshot, state = excluded.state"
)


class SqliteReader:
    """Reads on one connection; `using` is held meanwhile, for whoever wants to close it."""

    def __init__(self, connection: sqlite3.Connection, damage: Damage) -> None:
        self._connection = connection
        self._damage = damage
        self._cursor = connection.cursor()  # one for all: each costs as much as a short statement
        self.using = threading.Lock()

    def _all(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        try:
            with self.using:
                return self._cursor.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
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

    def last_position(self) -> int:
        position: int = self._one("SELECT coalesce(max(position), 0) FROM commits")[0]
        return position

    def head(self, conversation: str) -> Head | None:
        statement = f"SELECT {_HEAD} FROM heads WHERE conversation = ?"
        return _first(self._found(Head, statement, (conversation,)))

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        statement = f"SELECT {_HEAD} FROM heads WHERE conversation > ? ORDER BY 1 LIMIT ?"
        return self._found(Head, statement, (after, limit))

    def rows(
        self, conversation: str, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        statement = (
            f"SELECT {_ROW} FROM commits WHERE conversation = ? AND version > ? AND version <= ?"
            " ORDER BY version LIMIT ?"
        )
        last = 2**62 if upto is None else upto
        count = -1 if limit is None else limit
        return self._found(Row, statement, (conversation, after, last, count))

    def bodies(
        self, conversation: str, after: int = 0, limit: int | None = None
    ) -> Sequence[tuple[int, str, bytes]]:
        statement = (
            "SELECT version, topic, state FROM commits WHERE conversation = ? AND version > ?"
            " ORDER BY version LIMIT ?"
        )
        count = -1 if limit is None else limit
        found = self._all(statement, (conversation, after, count))
        self._check(Body, found)
        return found

    def rows_newest_first(self, conversation: str, before: int, limit: int) -> Sequence[Row]:
        statement = (
            f"SELECT {_ROW} FROM commits WHERE conversation = ? AND version < ?"
            " ORDER BY version DESC LIMIT ?"
        )
        return self._found(Row, statement, (conversation, before, limit))

    def keyed(self, conversation: str, key: str) -> Row | None:
        statement = f"SELECT {_ROW} FROM commits WHERE conversation = ? AND key = ?"
        return _first(self._found(Row, statement, (conversation, key)))

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        marks = ", ".join("?" * len(conversations))
        statement = f"SELECT {_HEAD} FROM heads WHERE conversation IN ({marks})"
        return self._found(Head, statement, conversations)

    def keyed_rows(self, keys: Sequence[tuple[str, str]]) -> Sequence[Row]:
        if not keys:
            return []
        marks = ", ".join(["(?, ?)"] * len(keys))
        statement = (
            f"WITH asked (name, id) AS (VALUES {marks}) SELECT {_ROW} FROM asked"
            " CROSS JOIN commits ON conversation = name AND key = id"
        )
        return self._found(Row, statement, [part for pair in keys for part in pair])

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        statement = f"SELECT {_ROW} FROM commits WHERE position > ? ORDER BY position LIMIT ?"
        return self._found(Row, statement, (after, limit))

    def snapshot(
        self, conversation: str, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        statement = (
            f"SELECT {_SNAPSHOT} FROM snapshots WHERE conversation = ? AND event <= ? AND turn <= ?"
            " ORDER BY version DESC LIMIT 1"
        )
        limits = (2**62 if event is None else event, 2**62 if turn is None else turn)
        return _first(self._found(Snapshot, statement, (conversation, *limits)))

    def snapshots(self, conversation: str) -> Sequence[Snapshot]:
        statement = f"SELECT {_SNAPSHOT} FROM snapshots WHERE conversation = ? ORDER BY version"
        return self._found(Snapshot, statement, (conversation,))

    def mark(self, model: str) -> Mark | None:
        statement = "SELECT model, position, digest FROM marks WHERE model = ?"
        return _first(self._found(Mark, statement, (model,)))

    def marks(self) -> Sequence[Mark]:
        return self._found(Mark, "SELECT model, position, digest FROM marks")

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        statement = (
            "SELECT model, conversation, key, value FROM models"
            " WHERE model = ? AND conversation = ? AND key = ?"
        )
        found = _first(self._found(Entry, statement, (model, conversation, key)))
        return found.value if found else None

    def entries(
        self, model: str, conversation: str | None = None, prefix: str = ""
    ) -> Iterator[tuple[str, str, bytes]]:
        where, parameters = "model = ? AND key >= ?", [model, prefix]
        if conversation is not None:
            where, parameters = f"{where} AND conversation = ?", [*parameters, conversation]
        if after := _after_prefix(prefix):
            where, parameters = f"{where} AND key < ?", [*parameters, after]
        statement = (
            "SELECT model, conversation, key, value FROM models"
            f" WHERE {where} ORDER BY conversation, key"
        )
        return (entry[1:] for entry in self._found(Entry, statement, parameters))


def _first(found: Sequence[Stored]) -> Stored | None:
    return found[0] if found else None


_EVERY: dict[type, tuple[str, Callable[[Any], Any]]] = {
    Row: (f"SELECT {_ROW} FROM commits ORDER BY conversation, version", Row._make),
    Head: (f"SELECT {_HEAD} FROM heads ORDER BY 1", Head._make),
    Snapshot: (
        f"SELECT {_SNAPSHOT} FROM snapshots ORDER BY conversation, version",
        Snapshot._make,
    ),
    Mark: ("SELECT model, position, digest FROM marks ORDER BY 1", Mark._make),
    Entry: ("SELECT model, conversation, key, value FROM models ORDER BY 1, 2, 3", Entry._make),
}


class SqliteScan(SqliteReader):
    """Reads in one transaction, on a connection that takes any bytes for a text."""

    _check = staticmethod(check_nothing)

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        statement, made = _EVERY[kind]
        try:
            for found in self._connection.execute(statement):
                yield made(found)
        except sqlite3.Error as error:
            self._damage.note(error)
            raise translated(error) from error

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
                self._cursor.execute(statement, parameters[0])
            elif parameters:
                self._cursor.executemany(statement, parameters)
        except sqlite3.Error as error:
            self._damage.note(error)
            raise translated(error) from error
        except OverflowError as error:  # one more than a number that somebody made so large
            raise Corrupt(f"a number of the log is too large: {error}") from error

    def append(self, rows: Sequence[Row]) -> None:
        self._many("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def put_heads(self, heads: Sequence[Head]) -> None:
        self._many(_PUT_HEAD, heads)

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        self._many("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)", snapshots)

    def drop_snapshots(self, conversation: str) -> None:
        self._many("DELETE FROM snapshots WHERE conversation = ?", [(conversation,)])

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


def translated(error: sqlite3.Error, path: str = "") -> Exception:
    """eventsourcing's or our own error for one of SQLite's."""
    where = f"{path}: " if path else ""
    if isinstance(error, sqlite3.IntegrityError):
        return IntegrityError(str(error))
    if "not a database" in str(error):
        return ForeignDatabase(f"{where}this file is not a SQLite database")
    if "malformed" in str(error) or "decode to UTF-8" in str(error):
        return Corrupt(f"{where}the database is damaged: {error}")
    return Unavailable(f"{where}the database cannot be used: {error}")
