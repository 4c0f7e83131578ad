"""SQLite: the default log, one file.

One connection writes, under BEGIN IMMEDIATE. Each thread reads on its own connection.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Any, Self

from eventsourcing.persistence import IntegrityError

from turnlog.errors import Corrupt, ForeignDatabase, NoSuchLog
from turnlog.storage import forks
from turnlog.storage.formats import SCHEMA_VERSION, check_format, genesis_of
from turnlog.storage.high_water import HighWater, HighWaterFile
from turnlog.storage.high_water_keeper import HighWaterKeeper
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import HEADS, Checkpoint, Genesis, Key, Row, Stream
from turnlog.storage.signal import Signal
from turnlog.storage.sqlite_busy import BUSY_PAUSE, insist
from turnlog.storage.sqlite_damage import Damage
from turnlog.storage.sqlite_files import OpenFiles
from turnlog.storage.sqlite_readers import ThreadReaders, scanning
from turnlog.storage.sqlite_schema import SCHEMA
from turnlog.storage.sqlite_tables import SqliteReader, SqliteScan, insert_next_row, translated
from turnlog.storage.sqlite_transaction import SqliteTransaction

APPLICATION_ID = 0x7475726E  # "turn"
CHECKPOINT_PAGES = 4000
"""The size of the write-ahead log in pages (16 MB): fewer checkpoints, a fifth off each commit.

It grows further while a snapshot is read, and later commits cut it back.
"""

PAGE_BYTES = 4096

MOST_KEYS = 100
"""The largest number of keys inserted with a row in one statement."""

NOTED_ROWS = 1000
"""The number of rows kept until a transaction commits; beyond it, only the newest is kept."""


_FORMAT = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
FROM pragma_application_id, pragma_user_version
"""
"""One statement, so that no other process makes the tables in between."""


class SqliteRecorder(Recorder):
    """A log in a SQLite file.

    synchronous: FULL (durable through a power cut) or NORMAL (through a crash of the process).
    timeout: seconds to wait for another writing process. create: whether to make a missing log.
    vouched: whether to keep the high-water file.
    """

    out_of_reach = (
        "backups and copies of the file",
        "files that were exported",
        "free blocks of the file system",
    )

    def __init__(
        self,
        path: str,
        *,
        synchronous: str = "FULL",
        timeout: float = 30.0,
        create: bool = True,
        vouched: bool = True,
    ) -> None:
        super().__init__()
        if not create and not os.path.exists(path):
            raise NoSuchLog(path)
        self.url = f"sqlite:///{path}"
        self._path = os.path.abspath(path)
        self._files = OpenFiles(self._path)
        self._damage = Damage()
        self._keeper: HighWaterKeeper | None = None
        if vouched:
            self.high_water = HighWaterFile(self._path)
            self._keeper = HighWaterKeeper(self.high_water, self._files)
        self._synchronous = synchronous
        self._timeout = timeout
        self._readers = ThreadReaders(lambda: SqliteReader(self._connect(), self._damage))
        self._writer = self._connect()
        self._exclusive = _Exclusive(
            self._writer, self._damage, self._files, path, timeout, self.signal, self._keeper
        )
        self._prepare(create=create)

    def _connect(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(
                self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False
            )
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA schema_version").fetchall()  # opens the -wal, which stays
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise translated(error, self._path) from error
        try:
            self._files.check()  # later threads must read the same file
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, *, create: bool) -> None:
        try:
            connection = self._writer
            tables = begun(connection.execute, self._path)
            if not tables and not create:
                raise NoSuchLog(self.url.removeprefix("sqlite:///"))
            self._files.check()  # `restore --over` replaces the file
            if tables:
                self._vouch_for_one_file()
            # another process may be switching, too
            self._exclusive.insist("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_PAGES * PAGE_BYTES}")
            connection.execute("PRAGMA secure_delete = ON")  # leaves no bytes of erased content
            connection.execute("PRAGMA busy_timeout = 0")  # `insist` waits instead
            if not tables:
                self._create()
            self.genesis = genesis_of(self._path, self._exclusive.genesis())
            self._exclusive.secret = self.genesis.secret
        except sqlite3.Error as error:
            self.close()
            raise translated(error, self._path) from error
        except Exception:
            self.close()
            raise

    def _vouch_for_one_file(self) -> None:
        """Creates the high-water file. A database without a `-wal`, such as a backup, needs none
        until it has one.
        """
        (mode,) = self._writer.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal" and self._keeper is not None:
            with suppress(Corrupt):  # the reader of the row reports it
                self._keeper.vouch(HighWater.now(self._exclusive))

    def _create(self) -> None:
        """Makes the tables, unless another process has made them."""
        with self.transaction() as transaction:
            _, _, tables = self._writer.execute(_FORMAT).fetchone()
            if tables:
                return
            for statement in SCHEMA.split(";"):
                self._writer.execute(statement)
            transaction.put_genesis(Genesis.new(os.urandom))
            self._writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._writer.execute("PRAGMA wal_checkpoint")  # without its -wal it is an empty log
        if self._keeper is not None and not tables:
            self._keeper.vouch(HighWater.now(self._exclusive))

    def transaction(self) -> _Exclusive:
        """See `Recorder.transaction`."""
        self.check_process()
        return self._exclusive

    def append(self, rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key]) -> int:
        """See `Recorder.append`; a single row of a known stream is one statement, its own
        transaction.
        """
        if len(rows) == 1 and not streams and len(keys) <= MOST_KEYS:
            self._exclusive.append_one(rows[0], keys)
        else:
            with self.transaction() as transaction:
                transaction.append(rows, streams, keys)
        return rows[0].position

    def scan(self) -> AbstractContextManager[SqliteScan]:
        """See `Recorder.scan`."""
        self.check_process()
        return scanning(self._connect(), self._damage, self.genesis.secret)

    @property
    def reader(self) -> SqliteReader:
        """See `Recorder.reader`; each thread has its own, whose connection ends with the thread."""
        self.check_process()
        reader = self._readers.own
        reader.secret = self.genesis.secret
        return reader

    def vacuum(self, *, full: bool = False, wait: bool = True) -> bool:
        """See `Recorder.vacuum`; rewrites the database, then empties the `-wal`."""
        self.check_process()
        with self._exclusive.lock:
            timeout = self._timeout if wait else 0.0
            try:
                self._exclusive.insist("VACUUM", timeout=timeout)
                return self._exclusive.cut_wal(timeout)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    return False
                raise translated(error, self._path) from error

    def leave_one_file(self) -> None:
        """Moves everything into the database file, without files next to it. Needs exclusive
        access.
        """
        self._exclusive.insist("PRAGMA journal_mode = DELETE")

    def close(self) -> None:
        """Closes the file. A thread that still reads finishes its statement first."""
        if self.inherited:
            return
        self._readers.close()
        with self._exclusive.lock:
            if self._keeper is not None:
                self._keeper.close(self._exclusive)
            self._writer.close()

    def locks(self) -> Iterable[Any]:
        """See `Forked.locks`: a thread inside SQLite holds locks for which a fork would wait
        forever.
        """
        return [self._exclusive.lock, *(reader.using for reader in self._readers.readers())]

    def after_fork(self) -> None:
        """See `Recorder.after_fork`."""
        super().after_fork()
        self._exclusive.lock = forks.free(self._exclusive.lock)
        self._exclusive.refuse(self.forked())
        self._readers.refuse(self.forked())


class _Exclusive(SqliteTransaction):
    """The one transaction at a time, entered again for each.

    A generator for each would take as long as one of its statements.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        damage: Damage,
        files: OpenFiles,
        path: str,
        timeout: float,
        signal: Signal,
        keeper: HighWaterKeeper | None,
    ) -> None:
        super().__init__(connection, damage)
        self._files = files
        self.lock = threading.RLock()
        self._path = path
        self._timeout = timeout
        self._signal = signal
        self._keeper = keeper
        self._appended: list[Row] = []
        self._level: Checkpoint | None = None

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        super().append(rows, streams, keys)
        self._appended += rows
        if len(self._appended) > NOTED_ROWS:
            self._appended = self._appended[-1:]

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        super().put_checkpoint(checkpoint)
        if checkpoint.model == HEADS:
            self._level = checkpoint

    def __enter__(self) -> Self:
        self.lock.acquire()
        try:
            self._damage.check(self._path)
            self._files.check()
            self.insist("BEGIN IMMEDIATE")
        except BaseException as error:
            self.lock.release()
            self._raise_translated(error)
            raise
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end(commit=error is None)
        except sqlite3.Error as failed:
            self._raise_translated(failed)
        finally:
            self.lock.release()
        if error is None:
            self._signal.send()
        self._raise_translated(error)

    def append_one(self, row: Row, keys: Sequence[Key]) -> None:
        """Appends a row after the last one, unless its version or one of its keys exists."""
        with self.lock:
            self._damage.check(self._path)
            try:
                inserted = (*row[:8], *(lookup for lookup, _ in keys))
                if self.insist(insert_next_row(len(keys)), inserted) == 0:
                    raise IntegrityError(
                        "the log has other rows than expected, or a key exists already"
                    )
            except sqlite3.Error as error:
                self._raise_translated(error)
            self._files.check()  # a commit to a file that was removed is not acknowledged
            self._note([row])
        self._signal.send()

    def _end(self, *, commit: bool) -> None:
        try:
            if commit:
                self._damage.check(self._path)  # damage that a reader found meanwhile
                self._cursor.execute("COMMIT")
                self._files.check()  # a commit to a file that was removed is not acknowledged
                self._note(self._appended)
        finally:
            self._appended, self._level = [], None
            if self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")

    def _note(self, rows: Sequence[Row]) -> None:
        if self._keeper is not None and (rows or self._level):
            self._keeper.note(self, rows, self._level)

    def _raise_translated(self, error: BaseException | None) -> None:
        if isinstance(error, sqlite3.Error):
            self._damage.note(error)
            raise translated(error, self._path) from error

    def cut_wal(self, timeout: float) -> bool:
        """Whether the `-wal` could be emptied because no one was reading older pages."""
        until = time.monotonic() + timeout
        while True:
            [(busy, _, _)] = self._cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if not busy or time.monotonic() > until:
                return not busy
            time.sleep(random.uniform(*BUSY_PAUSE))

    def insist(
        self, statement: str, parameters: Sequence[Any] = (), timeout: float | None = None
    ) -> int:
        """Runs a statement that needs the write lock, retrying at short uneven intervals; returns
        the number of rows.

        SQLite's own busy handler retries ever less often, which disadvantages those that wait long.
        """
        limit = self._timeout if timeout is None else timeout
        return insist(self._cursor, statement, parameters, timeout=limit)


def begun(ask: Callable[[str], Iterable[Any]], path: str) -> bool:
    """Whether a database contains a log. Raises ForeignDatabase, OlderFormat or NewerFormat.

    ask: runs a statement.
    """
    [(application, version, count)] = ask(_FORMAT)
    if application != APPLICATION_ID and count:
        raise ForeignDatabase(f"{path}: this database is not a turnlog log")
    if count:
        tables = {name for (name,) in ask("SELECT name FROM sqlite_master")}
        check_format(path, tables, version)
    return bool(count)
