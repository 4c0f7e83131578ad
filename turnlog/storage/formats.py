"""Which format a log was written in."""

from __future__ import annotations

from collections.abc import Collection

from turnlog.errors import Corrupt, NewerFormat, OlderFormat
from turnlog.storage.rows import Genesis

SCHEMA_VERSION = 2
"""Raised with each table that is added, so that what does not know it refuses the log by name."""
ROWS = "rows_t1"
"""The table of rows bears the name of their format: what knows another one fails."""


def check_format(log: str, tables: Collection[str], version: int) -> None:
    """Raise OlderFormat or NewerFormat where the tables are not this version's."""
    is_older = version < SCHEMA_VERSION and any(name.endswith(ROWS) for name in tables)
    if is_older or "commits" in tables or "turnlog_commits" in tables:
        raise OlderFormat(
            f"{log}: written by a turnlog before 1.0, whose tables this one does not read; with the"
            " version that wrote it, `turnlog export --format jsonl`, then `turnlog import` here"
        )
    if version > SCHEMA_VERSION or not any(name.endswith(ROWS) for name in tables):
        raise NewerFormat(
            f"{log}: written with schema {version}, this turnlog knows {SCHEMA_VERSION}"
        )


def genesis_of(log: str, found: Genesis | None) -> Genesis:
    """Raises Corrupt where there is none."""
    if found is None:
        raise Corrupt(f"{log}: the genesis row, or the secret beside it, was changed or is gone")
    return found
