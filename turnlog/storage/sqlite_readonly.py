"""A SQLite log that is only read: no byte changes, and no file is left next to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from turnlog.errors import NoSuchLog, StorageError, Unavailable
from turnlog.storage.formats import genesis_of
from turnlog.storage.high_water import HighWaterFile
from turnlog.storage.recorder import Recorder, read_only
from turnlog.storage.sqlite import begun
from turnlog.storage.sqlite_damage import Damage
from turnlog.storage.sqlite_readers import ThreadReaders, scanning
from turnlog.storage.sqlite_tables import SqliteReader, SqliteScan
from turnlog.storage.sqlite_unchanged import TRIES, UnchangedDatabase, WatchedConnection, is_refused


class ReadonlySqliteRecorder(Recorder):
    """A log opened read-only, which sees other processes' commits. timeout: seconds to wait for a
    lock.

    Raises NoSuchLog if it does not exist.
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
            self._look(path, self._readers.own)
        except BaseException:
            self.close()
            raise

    def _look(self, path: str, reader: _Reader) -> None:
        if not begun(reader.ask, os.path.abspath(path)):
            raise NoSuchLog(path)
        self.high_water = HighWaterFile(path).if_needed(keeps_wal=reader.keeps_wal())
        self.genesis = genesis_of(path, reader.genesis())
        self._secret = reader.secret = self.genesis.secret

    def _opened(self) -> _Reader:
        reader = _Reader(self._database, self._damage, self._readers.keep)
        reader.secret = self._secret
        return reader

    def transaction(self) -> NoReturn:
        """Raises StorageError: the log was opened read-only."""
        raise read_only(self.url)

    @property
    def reader(self) -> SqliteReader:
        """See `Recorder.reader`; each thread has its own, whose connection ends with the thread."""
        self.check_process()
        return self._readers.own

    @contextmanager
    def scan(self) -> Iterator[SqliteScan]:
        """See `Recorder.scan`. Raises Unavailable if a write disturbed the scan."""
        self.check_process()
        connection = self._database.connect(begin=True)
        try:
            with scanning(connection, self._damage, self._secret) as scan:
                yield scan
        finally:
            if self._database.changed(connection):
                raise Unavailable(f"{self.url}: the log was changed while it was read; read again")

    def close(self) -> None:
        """Closes the file. A thread that still reads finishes its statement first."""
        if not self.inherited:
            self._readers.close()
            self._database.close()

    def locks(self) -> Iterable[Any]:
        """See `SqliteRecorder.locks`."""
        return [reader.using for reader in self._readers.readers()]

    def after_fork(self) -> None:
        """See `Recorder.after_fork`."""
        super().after_fork()
        self._readers.refuse(self.forked())


class _Reader(SqliteReader):
    """Reads again on a new connection if the database changed under the old one."""

    _connection: WatchedConnection

    def __init__(
        self, database: UnchangedDatabase, damage: Damage, keep: Callable[[SqliteReader], None]
    ) -> None:
        super().__init__(database.connect(), damage)
        self._database = database
        self._keep = keep

    def ask(self, statement: str) -> list[Any]:
        """The rows that a statement returns."""
        return self._all(statement)

    def keeps_wal(self) -> bool:
        """Whether commits go to a `-wal`; false for a database in one file, such as a backup."""
        if (keeps_wal := self._database.keeps_wal(self._connection)) is not None:
            return keeps_wal
        return self.ask("PRAGMA journal_mode") == [("wal",)]

    def _all(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        for _ in range(TRIES):
            try:
                found = super()._all(statement, parameters)
            except StorageError as error:
                if not (is_refused(error.__cause__) or self._is_changed()):
                    raise
            else:
                if not self._is_changed():
                    return found
            self._reconnect()
        raise Unavailable("the database changes while it is read")

    def _is_changed(self) -> bool:
        return self._database.changed(self._connection)

    def _reconnect(self) -> None:
        with self.using:
            self._connection.close()
            self._connection = self._database.connect()
            self._cursor = self._connection.cursor()
        self._keep(self)
