"""The tables of a log in PostgreSQL, as they are made."""

from __future__ import annotations

from typing import LiteralString

SCHEMA: LiteralString = """
CREATE TABLE turnlog_format (version int NOT NULL);
INSERT INTO turnlog_format VALUES (2);
CREATE TABLE turnlog_commits (
    position bigint NOT NULL,
    conversation bytea NOT NULL,
    version bigint NOT NULL,
    topic bytea NOT NULL,
    key bytea,
    previous bytea NOT NULL,
    state bytea NOT NULL,
    PRIMARY KEY (conversation, version)
);
CREATE INDEX turnlog_commits_by_position ON turnlog_commits (position);
CREATE UNIQUE INDEX turnlog_commits_by_key ON turnlog_commits (conversation, key)
    WHERE key IS NOT NULL;
CREATE TABLE turnlog_heads (
    conversation bytea PRIMARY KEY,
    version bigint NOT NULL,
    position bigint NOT NULL,
    digest bytea NOT NULL,
    event bigint NOT NULL,
    turn bigint NOT NULL,
    snapshot bigint NOT NULL,
    state bytea NOT NULL
) WITH (fillfactor = 70);
CREATE TABLE turnlog_snapshots (
    conversation bytea NOT NULL,
    version bigint NOT NULL,
    event bigint NOT NULL,
    turn bigint NOT NULL,
    digest bytea NOT NULL,
    state bytea NOT NULL,
    previous bigint NOT NULL,
    PRIMARY KEY (conversation, version)
);
CREATE TABLE turnlog_marks (
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
