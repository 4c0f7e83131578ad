"""Damage that SQLite found in the file of an open log, after which nothing is acknowledged."""

from __future__ import annotations

import sqlite3

from turnlog.errors import Corrupt

FOUND = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Primary result codes that report a damaged file."""


class Damage:
    """Shared by all connections of an open log: damage found by one stops the writer."""

    def __init__(self) -> None:
        self._found: sqlite3.Error | None = None

    def note(self, error: sqlite3.Error | UnicodeDecodeError) -> None:
        """Remembers an error that reports a damaged file, not one of a single row."""
        code = getattr(error, "sqlite_errorcode", 0)  # errors of the module itself have no code
        if isinstance(error, sqlite3.Error) and code & 0xFF in FOUND:
            self._found = error

    def check(self, path: str) -> None:
        """Raises Corrupt after damage was found."""
        if self._found is not None:
            raise Corrupt(f"{path}: the log accepts no more events: {self._found}")
