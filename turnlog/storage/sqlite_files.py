"""The files of a SQLite log: the database and its write-ahead log."""

from __future__ import annotations

import os
import time

from turnlog.errors import Unavailable

_SETTLED_NANOSECONDS = 200_000_000
"""After so long without a change a folder's time tells of the next: files have coarse clocks."""


def wal(path: str) -> str:
    """Where SQLite keeps the commits that are not yet in the database file."""
    return f"{path}-wal"


def beside(path: str) -> tuple[str, ...]:
    """What SQLite may keep beside a database, and would take for its own if another came there."""
    return wal(path), f"{path}-shm", f"{path}-journal"


class OpenFiles:
    """The files that an open log writes to, by device and inode."""

    def __init__(self, path: str) -> None:
        self._seen: dict[str, tuple[int, int] | None] = {path: None, wal(path): None}
        self._folder = os.path.dirname(os.path.abspath(path))
        self._settled: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raise Unavailable where one is no longer the file it was when it was first seen.

        SQLite goes on writing into a file that was removed, moved or replaced. Whatever is done to
        a file's name changes its folder: one look at that tells when to look at the files.
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
