"""The schema of a log in SQLite, and how a database differs from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

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
CREATE INDEX heads_by_position ON heads (position);
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


def schema_faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Differences of tables, indexes and triggers from those that this version makes."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCHEMA)
        wanted = _schema(fresh)
    found = _schema(connection)
    for name in sorted(wanted.keys() | found.keys(), key=str):
        if wanted.get(name) != found.get(name):
            yield f"{name} in the database's schema is not as turnlog made it"


def blob_columns() -> Iterator[tuple[str, list[str]]]:
    """The tables, and their columns with bytes."""
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
