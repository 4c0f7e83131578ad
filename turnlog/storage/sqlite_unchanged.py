"""Connections to a SQLite database that change no byte of it and leave no file next to it.

| next to the database | how it is read |
|---|---|
| `-wal` and `-shm`: a process has it open or was killed | `mode=ro`, which sees what is committed |
| no `-wal`, and file and folder can be written | the same; SQLite makes both meanwhile |
| no `-wal`, and they cannot | `immutable=1`, which takes no locks, until something changes |
| a `-wal` that SQLite cannot use there | a copy of both in a temporary folder, until that |
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from contextlib import ExitStack, closing, suppress
from typing import NamedTuple, Self
from urllib.parse import quote

from turnlog.errors import Unavailable
from turnlog.storage.private_folder import PrivateFolder
from turnlog.storage.sqlite_files import beside
from turnlog.storage.sqlite_tables import translated

TRIES = 10
"""How often a database that changes meanwhile is opened again."""

STARTING_SECONDS = 0.005
"""Seconds between attempts while another process prepares the database's `-shm`."""

_REFUSED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
"""SQLite's error codes if it would have to write in order to read."""

Identity = tuple[int, int, int, int] | None
"""Device, inode, size and time of the last change; None without a file."""


class Files(NamedTuple):
    """A database and the files next to it at one moment."""

    database: Identity
    wal: Identity
    shm: Identity
    journal: Identity

    @classmethod
    def of(cls, path: str) -> Self:
        """The files of a database now."""
        return cls(*map(_identity, (path, *beside(path))))


class WatchedConnection(sqlite3.Connection):
    """A connection that knows the files as they were, if SQLite itself would not notice changes."""

    seen: Files | None = None


class UnchangedDatabase:
    """Opens connections; safe for concurrent use. timeout: seconds to wait for a lock."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path = os.path.realpath(path)  # SQLite keeps its files next to the real path
        self._timeout = timeout
        self._first = Files.of(self._path).database
        self._copied: dict[Files, str] = {}
        self._copying = threading.Lock()
        self._temporary = ExitStack()
        self._is_shared = False
        self._is_closed = False

    def connect(self, *, begin: bool = False) -> WatchedConnection:
        """A new connection. begin: whether to begin a read transaction.

        Raises Unavailable if the database cannot be read, or is no longer the same file.
        """
        try:
            return self._connect(begin)
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        except OSError as error:
            raise Unavailable(f"{self._path}: {error.strerror or error}") from error

    def _connect(self, begin: bool) -> WatchedConnection:
        for tried in range(TRIES):
            files = Files.of(self._path)
            self._check(files)
            connection = self._shared(files, begin)
            if connection is None and files.wal and files.shm and tried < TRIES // 2:
                time.sleep(STARTING_SECONDS)
                continue
            connection = connection or self._apart(files)
            if not self.changed(connection):
                return connection
            connection.close()
        raise Unavailable(f"{self._path}: the database changes while it is opened")

    def _check(self, files: Files) -> None:
        if self._is_closed:
            raise Unavailable("the log was closed")
        if (files.database or ())[:2] != (self._first or ())[:2]:
            what = "replaced" if files.database else "moved or removed"
            raise Unavailable(f"{self._path}: the file was {what} while the log was open")
        if not os.path.isfile(self._path):
            raise Unavailable(f"{self._path}: unable to open as a database: it is not a file")

    def _shared(self, files: Files, begin: bool) -> WatchedConnection | None:
        """An ordinary connection; None if it would write, or leave a file behind."""
        if not (files.shm if files.wal else self._is_writable()):
            return None
        connection = self._opened(self._path, "mode=ro")
        try:
            if begin:
                connection.execute("BEGIN")
            _look(connection)
        except sqlite3.Error as error:
            connection.close()
            if is_refused(error):
                return None
            raise
        self._is_shared = True
        return connection

    def _is_writable(self) -> bool:
        return all(os.access(path, os.W_OK) for path in (self._path, os.path.dirname(self._path)))

    def _apart(self, files: Files) -> WatchedConnection:
        if files.wal or files.journal:
            connection = self._opened(self._copy(files), "mode=rw")
        else:
            connection = self._opened(self._path, "immutable=1")
        connection.seen = files
        return connection

    def _copy(self, files: Files) -> str:
        """A private copy of the database and its files, made once."""
        with self._copying:
            if files not in self._copied:
                folder = self._temporary.enter_context(PrivateFolder())
                path = os.path.join(folder, "copy.db")
                shutil.copyfile(self._path, path)
                wal, _, journal = zip(beside(self._path), beside(path), strict=True)
                for original, copy in (wal, journal):
                    with suppress(FileNotFoundError):
                        shutil.copyfile(original, copy)
                self._copied[files] = path
            return self._copied[files]

    def _opened(self, path: str, how: str) -> WatchedConnection:
        return sqlite3.connect(
            f"file:{quote(path)}?{how}",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,
            factory=WatchedConnection,
        )

    def keeps_wal(self, connection: WatchedConnection) -> bool | None:
        """Whether commits go to a `-wal`, for a database that is read without locks.

        None for any other database: SQLite itself knows.
        """
        if connection.seen is None or connection.seen.wal or connection.seen.journal:
            return None
        with open(self._path, "rb") as file:
            return file.read(20)[18:] == b"\2\2"

    def changed(self, connection: WatchedConnection) -> bool:
        """Whether reads on a connection may be outdated or torn."""
        return connection.seen is not None and connection.seen != Files.of(self._path)

    def close(self) -> None:
        """Removes temporary copies. Call it after all connections are closed."""
        self._is_closed = True
        if self._is_shared:
            self._tidy()
        self._temporary.close()

    def _tidy(self) -> None:
        """Lets SQLite remove an empty `-wal`, unless another process has the database open.

        The last process to close a log does that, except one without write permission.
        """
        files = Files.of(self._path)
        if files.wal and files.wal[2] == 0:
            with suppress(sqlite3.Error), closing(self._opened(self._path, "mode=rw")) as last:
                last.execute("PRAGMA busy_timeout = 0")
                _look(last)


def _look(connection: sqlite3.Connection) -> None:
    """Makes SQLite open the files, which it does at the first statement that reads."""
    connection.execute("PRAGMA schema_version").fetchall()


def is_refused(error: BaseException | None) -> bool:
    """Whether SQLite would have had to write in order to read, which may differ at the next
    attempt.

    This happens while another process that opens the database prepares its `-shm`.
    """
    is_sqlites = isinstance(error, sqlite3.OperationalError)
    return is_sqlites and getattr(error, "sqlite_errorcode", 0) & 0xFF in _REFUSED


def _identity(path: str) -> Identity:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
