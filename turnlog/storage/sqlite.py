"""SQLite: the default log, one file.

One connection writes, under BEGIN IMMEDIATE; every thread reads on a connection of its own.
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
"""Pages the write-ahead log grows to (16 MB): fewer checkpoints, a fifth off each commit.

It grows beyond while a snapshot is read, and is cut back to this by commits that follow.
"""

PAGE_BYTES = 4096

MOST_KEYS = 100
"""Keys that a row is inserted with in one statement."""

NOTED_ROWS = 1000
"""Rows of a transaction that are kept until it commits; of more, the newest alone."""


_FORMAT = """
SELECT application_id, user_version, (SELECT count(*) FROM sqlite_master)
FROM pragma_application_id, pragma_user_version
"""
"""In one statement, so that nobody makes the tables in between."""


class SqliteRecorder(Recorder):
    """synchronous: FULL (durable through a power cut) or NORMAL (through a crash of the process).

    timeout: seconds to wait for another process that writes. create: whether to make the log where
    there is none. vouched: whether to keep the file that vouches for its end.
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
            self._files.check()  # a thread that comes later reads the same file
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
            self._files.check()  # `restore --over` puts another in its place
            if tables:
                self._vouch_for_one_file()
            self._exclusive.insist(
                "PRAGMA journal_mode = WAL"
            )  # another process may be switching too
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            connection.execute(f"PRAGMA journal_size_limit = {CHECKPOINT_PAGES * PAGE_BYTES}")
            connection.execute("PRAGMA secure_delete = ON")  # what is erased leaves no bytes
            connection.execute("PRAGMA busy_timeout = 0")  # `insist` waits
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
        """A database without a `-wal`, such as a backup, vouches for itself until it has one."""
        (mode,) = self._writer.execute("PRAGMA journal_mode").fetchone()
        if mode != "wal" and self._keeper is not None:
            with suppress(Corrupt):  # whoever reads the row says so
                self._keeper.vouch(HighWater.now(self._exclusive))

    def _create(self) -> None:
        """Make the tables, unless somebody else made them meanwhile."""
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
        self.check_process()
        return self._exclusive

    def append(self, rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key]) -> int:
        """One row of a known stream in one statement, which is a transaction of its own."""
        if len(rows) == 1 and not streams and len(keys) <= MOST_KEYS:
            self._exclusive.append_one(rows[0], keys)
        else:
            with self.transaction() as transaction:
                transaction.append(rows, streams, keys)
        return rows[0].position

    def scan(self) -> AbstractContextManager[SqliteScan]:
        self.check_process()
        return scanning(self._connect(), self._damage, self.genesis.secret)

    @property
    def reader(self) -> SqliteReader:
        """The thread's own; its connection ends with the thread."""
        self.check_process()
        reader = self._readers.own
        reader.secret = self.genesis.secret
        return reader

    def vacuum(self, *, full: bool = False, wait: bool = True) -> bool:
        """Writes the database anew, then cuts the `-wal` to nothing."""
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
        """Have everything in the database file, and none beside it; for whoever has it alone."""
        self._exclusive.insist("PRAGMA journal_mode = DELETE")

    def close(self) -> None:
        """Let go of the file. A thread that still reads ends its statement first."""
        if self.inherited:
            return
        self._readers.close()
        with self._exclusive.lock:
            if self._keeper is not None:
                self._keeper.close(self._exclusive)
            self._writer.close()

    def locks(self) -> Iterable[Any]:
        """Whoever has one is inside SQLite, whose own locks a fork would wait for for ever."""
        return [self._exclusive.lock, *(reader.using for reader in self._readers.readers())]

    def after_fork(self) -> None:
        super().after_fork()
        self._exclusive.lock = forks.free(self._exclusive.lock)
        self._exclusive.refuse(self.forked())
        self._readers.refuse(self.forked())


class _Exclusive(SqliteTransaction):
    """The one transaction at a time, entered for each anew.

    No generator for each, which would take as long as one of its statements.
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
        """Append a row behind the last one, unless its version or one of its keys is there."""
        with self.lock:
            self._damage.check(self._path)
            try:
                inserted = (*row[:8], *(lookup for lookup, _ in keys))
                if self.insist(insert_next_row(len(keys)), inserted) == 0:
                    raise IntegrityError("the log has gone on or back, or a key is there")
            except sqlite3.Error as error:
                self._raise_translated(error)
            self._files.check()  # what went into a file that is gone is not acknowledged
            self._note([row])
        self._signal.send()

    def _end(self, *, commit: bool) -> None:
        try:
            if commit:
                self._damage.check(self._path)  # that a reader found meanwhile
                self._cursor.execute("COMMIT")
                self._files.check()  # what went into a file that is gone is not acknowledged
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
        """Whether the `-wal` could be emptied: nobody read anything older meanwhile."""
        until = time.monotonic() + timeout
        while True:
            [(busy, _, _)] = self._cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            if not busy or time.monotonic() > until:
                return not busy
            time.sleep(random.uniform(*BUSY_PAUSE))

    def insist(
        self, statement: str, parameters: Sequence[Any] = (), timeout: float | None = None
    ) -> int:
        """Run what needs the write lock, asking for it at short uneven times; how many rows.

        SQLite's own busy handler asks ever more seldom, so that who has waited long waits longer.
        """
        limit = self._timeout if timeout is None else timeout
        return insist(self._cursor, statement, parameters, timeout=limit)


def begun(ask: Callable[[str], Iterable[Any]], path: str) -> bool:
    """Whether a database holds a log. Raises ForeignDatabase, OlderFormat or NewerFormat.

    ask: runs a statement.
    """
    [(application, version, count)] = ask(_FORMAT)
    if application != APPLICATION_ID and count:
        raise ForeignDatabase(f"{path}: this database is not a turnlog log")
    if count:
        tables = {name for (name,) in ask("SELECT name FROM sqlite_master")}
        check_format(path, tables, version)
    return bool(count)
