"""The format in which a log was written."""

from __future__ import annotations

from collections.abc import Collection

from turnlog.errors import Corrupt, NewerFormat, OlderFormat
from turnlog.storage.rows import Genesis

SCHEMA_VERSION = 2
"""Raised with each added table, so that an older turnlog refuses the log by name."""
ROWS = "rows_t1"
"""The table of rows is named after their format: a reader of another format fails."""


def check_format(log: str, tables: Collection[str], version: int) -> None:
    """Raises OlderFormat or NewerFormat if the tables belong to another version."""
    is_older = version < SCHEMA_VERSION and any(name.endswith(ROWS) for name in tables)
    if is_older or "commits" in tables or "turnlog_commits" in tables:
        raise OlderFormat(
            f"{log}: written by a turnlog before 1.0, whose tables this version cannot read;"
            " with the version that wrote it, `turnlog export --format jsonl`,"
            " then `turnlog import` here"
        )
    if version > SCHEMA_VERSION or not any(name.endswith(ROWS) for name in tables):
        raise NewerFormat(
            f"{log}: written with schema {version}; this turnlog reads {SCHEMA_VERSION}"
        )


def genesis_of(log: str, found: Genesis | None) -> Genesis:
    """The genesis of a log. Raises Corrupt if there is none."""
    if found is None:
        raise Corrupt(f"{log}: the genesis row or its secret was changed or removed")
    return found
