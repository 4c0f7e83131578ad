"""PostgreSQL: one log that many servers share.

All writes happen under one advisory lock, so that positions have no gaps and become visible in
order, and a plain tail misses nothing (ADR 3). Texts are stored as bytea: PostgreSQL's text cannot
contain NUL, and bytes sort alike everywhere. The conversation is part of every key but those of the
marks, so that the tables can be distributed by it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg

from turnlog.errors import NoSuchLog, StorageError, Unavailable
from turnlog.storage import forks
from turnlog.storage.formats import SCHEMA_VERSION, check_format, genesis_of
from turnlog.storage.postgres_append import APPEND, LOCK, PREPARE, PREPARED, appended
from turnlog.storage.postgres_connection import Connection, translated
from turnlog.storage.postgres_pool import Connections
from turnlog.storage.postgres_scan import PostgresScan
from turnlog.storage.postgres_schema import SCHEMA, TABLES
from turnlog.storage.postgres_tables import LAST_POSITION, PostgresReader, read_genesis
from turnlog.storage.postgres_transaction import PostgresTransaction
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Genesis, Key, Row, Stream
from turnlog.storage.shown_url import without_password
from turnlog.storage.signal import Signal

_LOCK: LiteralString = f"SELECT {LOCK}"

_EVERY_TABLE: LiteralString = ", ".join(re.findall("CREATE TABLE (turnlog_[a-z0-9_]+)", TABLES))
VACUUM_SECONDS = 24 * 3600.0
"""The time limit of a vacuum in seconds, whatever the size of the tables."""

VACUUM: LiteralString = f"VACUUM {_EVERY_TABLE}"
VACUUM_FULL: LiteralString = f"VACUUM FULL {_EVERY_TABLE}"

_TABLES: LiteralString = (
    "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    " AND tablename LIKE 'turnlog\\_%'"
)


class PostgresRecorder(Recorder):
    """A log in PostgreSQL.

    timeout: seconds after which a request fails. pooled: whether PgBouncer is between, which shares
    connections among its clients. create: whether to make missing tables.
    """

    gives_positions = True
    out_of_reach = (
        "backups",
        "replicas until they have followed",
        "the write-ahead log and its archive",
        "files that were exported",
        "free space of pages, where the vacuum was not full",
    )
    poll = 0.5

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 10.0,
        pooled: bool = False,
        create: bool = True,
        readonly: bool = False,
    ) -> None:
        super().__init__(readonly=readonly)
        self.url = without_password(url)
        self._connections = Connections(url, timeout, pooled=pooled)
        self._lock = threading.RLock()
        self._listener: _Listener | None = None
        self._starting = threading.Lock()
        try:
            with translated(), self._connections.own() as connection:
                self._prepare(connection, create=create)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that is the caller's while it reads."""
        self.check_process()
        with translated(), self._connections.reading() as connection:
            yield connection

    def _prepare(self, connection: Connection, *, create: bool) -> None:
        """Makes the tables, or brings those of an older turnlog up to date without
        rewriting a row.
        """
        with connection.transaction():
            self._connections.limit(connection)
            connection.execute(_LOCK)
            tables = {name for (name,) in connection.execute(_TABLES)}
            if not tables:
                if not create:
                    raise NoSuchLog(self.url)
                connection.execute(SCHEMA)
                genesis = Genesis.new(os.urandom)
                connection.ask(
                    "INSERT INTO turnlog_format VALUES (%b::int, %b)",
                    (SCHEMA_VERSION, genesis.secret),
                )
                PostgresTransaction(connection, None, b"").put_genesis(genesis)
            else:
                version = connection.execute("SELECT version FROM turnlog_format").fetchone()
                check_format(self.url, tables, version[0] if version else 0)
            self.genesis = genesis_of(self.url, read_genesis(connection))

    def append(self, rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key]) -> int:
        """See `Recorder.append`; one statement, so that the lock is not held for a round trip."""
        self.check_writable()
        parameters = appended(rows, streams, keys, self.genesis.secret)
        if self._connections.pooled:
            with self.reading() as connection:
                first: int = connection.ask(APPEND, parameters).fetchone()[0]
        else:
            with translated(), self._connections.writing(PREPARE) as connection:
                answer = connection.ask_prepared(PREPARED, parameters)
                first = int.from_bytes(answer or b"", "big")
        self.signal.send()
        return first

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """See `Recorder.transaction`; statements are pipelined, and only reads and the end wait for
        the server.
        """
        self.check_writable()
        with self._lock, translated(), self._connections.lent() as connection:
            try:
                with connection.sent_together():
                    transaction = self._begun(connection)
                    yield transaction
                    if transaction.appended:
                        connection.ask("NOTIFY turnlog")
                    done = None if self._connections.pooled else connection.ask("COMMIT")
                done = done or connection.ask("COMMIT")  # see Connection.sent_together
                if done.statusmessage != "COMMIT":  # the transaction failed before
                    raise Unavailable(f"nothing was stored: {done.statusmessage}")
            except BaseException:
                with suppress(psycopg.Error):
                    connection.rollback()
                raise
        self.signal.send()

    def _begun(self, connection: Connection) -> PostgresTransaction:
        connection.ask("BEGIN")
        self._connections.limit(connection)
        connection.ask(_LOCK)
        last = connection.ask(LAST_POSITION)
        connection.pgconn.send_flush_request()  # the answer arrives while the caller decides
        connection.pgconn.flush()
        return PostgresTransaction(connection, last, self.genesis.secret)

    def vacuum(self, *, full: bool = False, wait: bool = True) -> bool:
        """See `Recorder.vacuum`. full: rewrites the tables, which locks out everyone; otherwise
        only dead rows are removed.
        """
        self.check_writable()
        with translated(), self._connections.own() as connection:
            connection.limit = VACUUM_SECONDS
            connection.ask("SET statement_timeout = 0")
            connection.ask(VACUUM_FULL if full else VACUUM)
        return True

    @contextmanager
    def scan(self) -> Iterator[PostgresScan]:
        """See `Recorder.scan`."""
        self.check_process()
        yield PostgresScan(self.reading, self.genesis.secret, self._at_once)

    @contextmanager
    def _at_once(self) -> Iterator[Connection]:
        """A connection that reads everything as of one moment."""
        with translated(), self._connections.lent() as connection:
            connection.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self._connections.limit(connection)
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.ask("ROLLBACK")

    @property
    def reader(self) -> PostgresReader:
        """See `Recorder.reader`."""
        return PostgresReader(self.reading, self.genesis.secret)

    def wait_above(self, after: int, timeout: float) -> bool:
        """See `Recorder.wait_above`; listens for notifications."""
        self.check_process()
        with self._starting:
            if self._listener is None and not self._connections.pooled:
                self._listener = _Listener(self._connections, self.signal)
        return super().wait_above(after, timeout)

    def after_fork(self) -> None:
        """See `Recorder.after_fork`; the parent's connections stay open."""
        super().after_fork()
        forks.never_freed(self._connections)

    def close(self) -> None:
        """See `Recorder.close`."""
        if self.inherited:
            return
        with self._starting:
            if self._listener is not None:
                self._listener.stop()
        with self._lock:
            self._connections.close()


class _Listener:
    """Sends the recorder's signal when any process commits. Reconnects after a lost connection."""

    def __init__(self, connections: Connections, signal: Signal) -> None:
        self._connections = connections
        self._signal = signal
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="turnlog-listen", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (psycopg.Error, StorageError):
                self._stopping.wait(1)

    def _listen(self) -> None:
        with self._connections.own() as connection:
            connection.ask("LISTEN turnlog")
            while not self._stopping.is_set():
                connection.expect()
                for _ in connection.notifies(timeout=0.2, stop_after=1):
                    self._signal.send()
