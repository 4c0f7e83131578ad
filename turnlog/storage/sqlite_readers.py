"""The connections for reading a SQLite log: one for each thread, and one for each scan."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar
from weakref import finalize

from turnlog.storage import forks
from turnlog.storage.rows import readable
from turnlog.storage.sqlite_damage import Damage
from turnlog.storage.sqlite_tables import SqliteReader, SqliteScan

SomeReader = TypeVar("SomeReader", bound=SqliteReader)


class ThreadReaders(Generic[SomeReader]):
    """One reader for each thread. Its connection ends with the thread or the log."""

    def __init__(self, opened: Callable[[], SomeReader]) -> None:
        self._opened = opened
        self._local = threading.local()
        self._opening = threading.Lock()
        self._closers: list[finalize[..., SqliteReader]] = []

    @property
    def own(self) -> SomeReader:
        """The calling thread's reader."""
        reader: SomeReader | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._opened()
            self.keep(reader)
        return reader

    def keep(self, reader: SqliteReader) -> None:
        """Ties the connection's life to its reader."""
        closer = finalize(reader, _close, reader.connection, reader.using, os.getpid())
        with self._opening:
            self._closers = [*(one for one in self._closers if one.alive), closer]

    def close(self) -> None:
        """Closes all connections. A thread that still reads finishes its statement first."""
        for closer in self._closers:
            closer()

    def readers(self) -> list[SqliteReader]:
        """The readers with open connections."""
        return [found[0] for closer in self._closers if (found := closer.peek())]

    def refuse(self, error: Exception) -> None:
        """Refuses all readers in a fork, because their connections belong to the parent."""
        self._opening = threading.Lock()
        for reader in self.readers():
            reader.refuse(error)


@contextmanager
def scanning(connection: sqlite3.Connection, damage: Damage, secret: bytes) -> Iterator[SqliteScan]:
    """A scan in one transaction on a connection, which is closed afterwards."""
    connection.text_factory = readable
    process = os.getpid()
    try:
        if not connection.in_transaction:
            connection.execute("BEGIN")
        yield SqliteScan(connection, damage, secret)
    finally:
        _close(connection, threading.Lock(), process)


def _close(connection: sqlite3.Connection, using: threading.Lock, process: int) -> None:
    """Closes a connection between statements: closing it within one would crash the process.

    process: the one that opened it. A fork neither closes it nor waits for `using`.
    """
    if os.getpid() != process:
        forks.never_freed(connection)
        return
    with using:
        connection.close()
