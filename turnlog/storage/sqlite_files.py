"""The files of a SQLite log: the database and its write-ahead log."""

from __future__ import annotations

import os

from turnlog.errors import Unavailable


def wal(path: str) -> str:
    """Where SQLite keeps the commits that are not yet in the database file."""
    return f"{path}-wal"


class OpenFiles:
    """The files that an open log writes to, by device and inode."""

    def __init__(self, path: str) -> None:
        self._seen: dict[str, tuple[int, int] | None] = {path: None, wal(path): None}

    def check(self) -> None:
        """Raise Unavailable where one is no longer the file it was when it was first seen.

        SQLite goes on writing into a file that was removed, moved or replaced.
        """
        for path, seen in self._seen.items():
            found = _identity(path)
            if seen is None:
                self._seen[path] = found
            elif found != seen:
                what = "replaced" if found else "moved or removed"
                raise Unavailable(f"{path}: the file was {what} while the log was open")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
