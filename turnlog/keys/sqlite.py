"""A key store in a separate SQLite file."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from turnlog.errors import NoSuchLog, StorageError, Unavailable
from turnlog.keys.tables import SCHEMA, KeyTables
from turnlog.storage import forks
from turnlog.storage.sqlite_busy import insist

APPLICATION_ID = 0x746B6579  # "tkey"
_MADE = "SELECT 1 FROM sqlite_master WHERE name = 'keystore'"
TIMEOUT = 30.0
"""Seconds to wait while another process writes."""


class SqliteKeyTables(forks.Forked, KeyTables):
    """path: a file, or `:memory:` for a store that ends with its object.

    A new file is readable by its owner only. Without `create`, raises NoSuchLog if the file does
    not exist.
    """

    def __init__(self, path: str, *, create: bool) -> None:
        if not create and not os.path.exists(path):
            raise NoSuchLog(path)
        self.url = f"sqlite:///{path}"
        self._path = path
        self._lock = threading.RLock()
        is_new = path == ":memory:" or not os.path.exists(path)
        if is_new and path != ":memory:":  # for its owner alone
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(
            path, timeout=TIMEOUT, isolation_level=None, check_same_thread=False
        )
        self._cursor = self._connection.cursor()
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise
        forks.tell(self)

    def _prepare(self) -> None:
        self.ask("PRAGMA secure_delete = ON")
        [(application,)] = self.ask("PRAGMA application_id")
        if application != APPLICATION_ID and self.ask("SELECT 1 FROM sqlite_master LIMIT 1"):
            raise StorageError(f"{self._path}: this database is not a key store")
        self.ask("PRAGMA synchronous = FULL")
        if application == APPLICATION_ID:  # an existing store is not written to
            return
        try:  # another process may be switching too
            insist(self._cursor, "PRAGMA journal_mode = WAL", timeout=TIMEOUT)
        except sqlite3.Error as error:
            raise self._translated(error) from error
        with self.exclusively():
            if not self.ask(_MADE):
                for statement in SCHEMA.split(";"):
                    self.ask(statement)
                self.ask(f"PRAGMA application_id = {APPLICATION_ID}")

    def ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """See `KeyTables.ask`. Raises Unavailable if SQLite fails."""
        try:
            with self._lock:
                return self._cursor.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> StorageError:
        if "not a database" in str(error):
            return StorageError(f"{self._path}: this file is not a key store")
        return Unavailable(f"{self._path}: the key store cannot be used: {error}")

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """See `KeyTables.exclusively`; `BEGIN IMMEDIATE`."""
        with self._lock:
            self.ask("BEGIN IMMEDIATE")
            try:
                yield
                self.ask("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self.ask("ROLLBACK")

    def scrub(self) -> None:
        """Empties the `-wal`; the file itself is overwritten in place.

        Raises Unavailable if another process reads for longer than the timeout.
        """
        [(busy, *_)] = self.ask("PRAGMA wal_checkpoint(TRUNCATE)")
        if busy:
            raise Unavailable(
                f"{self._path}: another process is reading the key store; destroy again"
            )

    def close(self) -> None:
        """See `KeyTables.close`."""
        with self._lock:
            self._connection.close()

    def locks(self) -> Iterable[Any]:
        """The lock that a fork takes before it starts."""
        return [self._lock]

    def after_fork(self) -> None:
        """Gives the child a free lock and never closes the parent's connection."""
        self._lock = forks.free(self._lock)
        forks.never_freed(self._connection)
        forks.never_freed(self._cursor)
