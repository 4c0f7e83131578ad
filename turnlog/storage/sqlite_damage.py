"""What SQLite found wrong with the file of an open log; nothing is acknowledged after it."""

from __future__ import annotations

import sqlite3

from turnlog.errors import Corrupt

FOUND = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
"""Primary result codes that tell of a damaged file."""


class Damage:
    """Shared by every connection of an open log: whichever finds it stops the writer."""

    def __init__(self) -> None:
        self._found: sqlite3.Error | None = None

    def note(self, error: sqlite3.Error | UnicodeDecodeError) -> None:
        """Keep an error that tells of a damaged file; not one of a row in it."""
        code = getattr(error, "sqlite_errorcode", 0)  # the module's own have none
        if isinstance(error, sqlite3.Error) and code & 0xFF in FOUND:
            self._found = error

    def check(self, path: str) -> None:
        """Raise Corrupt once something was found."""
        if self._found is not None:
            raise Corrupt(f"{path}: nothing more is recorded: {self._found}")
