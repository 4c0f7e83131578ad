"""A SQLite log that is only read: no byte of it changes, and no file is left beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NoReturn

from turnlog.errors import NoSuchLog, StorageError, Unavailable
from turnlog.storage.formats import genesis_of
from turnlog.storage.high_water import HighWaterFile
from turnlog.storage.recorder import Recorder, read_only
from turnlog.storage.sqlite import begun
from turnlog.storage.sqlite_damage import Damage
from turnlog.storage.sqlite_readers import ThreadReaders, scanning
from turnlog.storage.sqlite_tables import SqliteReader, SqliteScan, translated
from turnlog.storage.sqlite_unchanged import UnchangedDatabase, WatchedConnection


class ReadonlySqliteRecorder(Recorder):
    """Sees what other processes commit meanwhile. timeout: seconds to wait for a lock.

    Raises NoSuchLog where there is none.
    """

    def __init__(self, path: str, *, timeout: float = 30.0) -> None:
        super().__init__(readonly=True)
        if not os.path.exists(path):
            raise NoSuchLog(path)
        self.url = f"sqlite:///{path}"
        self._damage = Damage()
        self._database = UnchangedDatabase(path, timeout)
        self._readers = ThreadReaders(self._opened)
        self._secret = b""
        try:
            self._look(path)
        except sqlite3.Error as error:
            self.close()
            raise translated(error, path) from error
        except BaseException:
            self.close()
            raise

    def _look(self, path: str) -> None:
        with closing(self._database.connect()) as connection:
            if not begun(connection, os.path.abspath(path)):
                raise NoSuchLog(path)
            keeps_wal = self._database.keeps_wal(connection)
            self.high_water = HighWaterFile(path).if_needed(keeps_wal=keeps_wal)
            self.genesis = genesis_of(path, SqliteReader(connection, self._damage).genesis())
            self._secret = self.genesis.secret

    def _opened(self) -> SqliteReader:
        reader = _Reader(self._database, self._damage, self._readers.keep)
        reader.secret = self._secret
        return reader

    def transaction(self) -> NoReturn:
        raise read_only(self.url)

    @property
    def reader(self) -> SqliteReader:
        """The thread's own; its connection ends with the thread."""
        self.check_process()
        return self._readers.own

    @contextmanager
    def scan(self) -> Iterator[SqliteScan]:
        """Raises Unavailable where somebody began to write and SQLite could not keep them apart."""
        self.check_process()
        connection = self._database.connect()
        try:
            with scanning(connection, self._damage, self._secret) as scan:
                yield scan
        finally:
            if self._database.changed(connection):
                raise Unavailable(f"{self.url}: the log was changed while it was read; read again")

    def close(self) -> None:
        """Let go of the file. A thread that still reads ends its statement first."""
        if not self.inherited:
            self._readers.close()
            self._database.close()

    def locks(self) -> Iterable[Any]:
        """As in SqliteRecorder."""
        return [reader.using for reader in self._readers.readers()]

    def after_fork(self) -> None:
        super().after_fork()
        self._readers.refuse(self.forked())


class _Reader(SqliteReader):
    """Reads anew, on another connection, what has changed under the one that it had."""

    _connection: WatchedConnection

    def __init__(
        self, database: UnchangedDatabase, damage: Damage, keep: Callable[[SqliteReader], None]
    ) -> None:
        super().__init__(database.connect(), damage)
        self._database = database
        self._keep = keep

    def _all(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        while True:
            try:
                found = super()._all(statement, parameters)
            except StorageError:
                if not self._database.changed(self._connection):
                    raise
            else:
                if not self._database.changed(self._connection):
                    return found
            self._reconnect()

    def _reconnect(self) -> None:
        with self.using:
            self._connection.close()
            self._connection = self._database.connect()
            self._cursor = self._connection.cursor()
        self._keep(self)
