"""The schema of a log in PostgreSQL."""

from __future__ import annotations

from typing import LiteralString

from turnlog.storage.postgres_append import FUNCTION

TABLES: LiteralString = """
CREATE TABLE turnlog_format (version int NOT NULL, secret bytea NOT NULL);
CREATE TABLE turnlog_rows_t1 (
    position bigint NOT NULL,
    stream bigint NOT NULL,
    version bigint NOT NULL,
    topic bytea NOT NULL,
    previous bytea NOT NULL,
    skeleton bytea NOT NULL,
    commitments bytea NOT NULL,
    parts bytea NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (stream, version)
);
CREATE INDEX turnlog_rows_by_position ON turnlog_rows_t1 (position);
CREATE TABLE turnlog_streams (
    stream bigint PRIMARY KEY,
    life bigint NOT NULL,
    owner bytea NOT NULL,
    name bytea,
    lookup bytea
);
CREATE UNIQUE INDEX turnlog_streams_by_lookup ON turnlog_streams (lookup, life)
    WHERE lookup IS NOT NULL;
CREATE TABLE turnlog_keys (
    lookup bytea PRIMARY KEY,
    position bigint NOT NULL
);
CREATE TABLE turnlog_heads (
    conversation bytea PRIMARY KEY,
    stream bigint NOT NULL,
    owner bytea NOT NULL,
    life bigint NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    digest bytea NOT NULL,
    event bigint NOT NULL,
    turn bigint NOT NULL,
    snapshot bigint NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX turnlog_heads_by_position ON turnlog_heads (position);
CREATE TABLE turnlog_snapshots (
    stream bigint NOT NULL,
    version bigint NOT NULL,
    event bigint NOT NULL,
    turn bigint NOT NULL,
    digest bytea NOT NULL,
    state bytea NOT NULL,
    previous bigint NOT NULL,
    PRIMARY KEY (stream, version)
);
CREATE TABLE turnlog_blobs (
    name bytea NOT NULL,
    number bigint NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (name, number)
);
CREATE TABLE turnlog_checkpoints (
    model bytea PRIMARY KEY,
    position bigint NOT NULL,
    digest bytea
);
CREATE TABLE turnlog_models (
    model bytea NOT NULL,
    conversation bytea NOT NULL,
    key bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (model, conversation, key)
);
"""

SCHEMA: LiteralString = TABLES + FUNCTION
