"""The files of a SQLite log: the database and its write-ahead log."""

from __future__ import annotations

import os
import time

from turnlog.errors import Unavailable

_SETTLED_NANOSECONDS = 200_000_000
"""How long a folder must be unchanged for its time to reveal the next change: file clocks are
coarse.
"""


def wal(path: str) -> str:
    """The `-wal`, where SQLite keeps commits that are not in the database file yet."""
    return f"{path}-wal"


def beside(path: str) -> tuple[str, ...]:
    """Files that SQLite keeps next to a database, and would use with another one in its place."""
    return wal(path), f"{path}-shm", f"{path}-journal"


class OpenFiles:
    """The files to which an open log writes, by device and inode."""

    def __init__(self, path: str) -> None:
        self._seen: dict[str, tuple[int, int] | None] = {path: None, wal(path): None}
        self._folder = os.path.dirname(os.path.abspath(path))
        self._settled: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raises Unavailable if a file is no longer the one first seen.

        SQLite continues to write to a file that was removed, moved or replaced. Each of these
        changes the folder, whose time therefore says when to look at the files.
        """
        try:
            found = os.stat(self._folder)
        except OSError:
            folder = None
        else:
            folder = found.st_dev, found.st_ino, found.st_mtime_ns
        if folder is not None and folder == self._settled:
            return
        self._check_each()
        is_settled = folder is not None and time.time_ns() - folder[2] > _SETTLED_NANOSECONDS
        self._settled = folder if is_settled else None

    def _check_each(self) -> None:
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
