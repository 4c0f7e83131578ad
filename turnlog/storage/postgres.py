"""PostgreSQL: one log that many servers share.

All writing is done under one advisory lock, so positions have no gaps and become visible in
order, and a plain tail misses nothing (ADR 3). Texts are stored as bytea: PostgreSQL's own text
cannot hold NUL, and bytes sort alike everywhere. The conversation stands in every key but those
of the marks, so that the tables can be distributed by it.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import LiteralString

import psycopg

from turnlog.errors import NoSuchLog, StorageError, Unavailable
from turnlog.storage.formats import SCHEMA_VERSION, check_format, genesis_of
from turnlog.storage.postgres_connection import (
    Connection,
    conninfo,
    is_alive,
    translated,
    without_password,
)
from turnlog.storage.postgres_schema import SCHEMA
from turnlog.storage.postgres_tables import (
    LAST_POSITION,
    PostgresReader,
    PostgresScan,
    PostgresTransaction,
    read_genesis,
)
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Genesis, Key, Row, Stream

_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(1953854062, hashtext(current_schema()))"


_TABLES: LiteralString = (
    "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    " AND tablename LIKE 'turnlog\\_%'"
)


class PostgresRecorder(Recorder):
    """timeout: seconds within which there is an answer, be it that there is none.

    create: whether to make the tables where there are none.
    """

    poll = 0.5

    def __init__(
        self, url: str, *, timeout: float = 10.0, create: bool = True, readonly: bool = False
    ) -> None:
        super().__init__(readonly=readonly)
        self.url = without_password(url)
        self._conninfo = conninfo(url, timeout)
        self._timeout = timeout
        self._lock = threading.RLock()
        self._idle: deque[Connection] = deque()
        self._writer: Connection | None = None
        self._listener: _Listener | None = None
        self._closed = False
        self._starting = threading.Lock()
        try:
            with translated():
                self._prepare(create=create)
        except BaseException:
            self.close()
            raise

    # --- connections ----------------------------------------------------------------------------

    def _connect(self) -> Connection:
        if self._closed:
            raise Unavailable("the log was closed")
        connection = Connection.connect(self._conninfo, autocommit=True, prepare_threshold=1)
        connection.limit = self._timeout + 1
        return connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of the reader's own for as long as it reads."""
        with translated():
            connection = self._idle_connection() or self._connect()
            try:
                yield connection
            finally:
                if self._closed:
                    connection.close()
                elif not connection.closed:
                    self._idle.append(connection)

    def _idle_connection(self) -> Connection | None:
        """One that was used before and that its server has not closed since."""
        while self._idle:
            with suppress(IndexError):
                connection = self._idle.pop()
                if is_alive(connection):
                    return connection
                connection.close()
        return None

    def _prepare(self, *, create: bool) -> None:
        """Make the tables, or bring those of an older turnlog up to date; no row is rewritten."""
        self._writer = connection = self._connect()
        with connection.transaction():
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

    def append(self, rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key]) -> None:
        """The tables refuse a key that is there; asking for it would be one more trip."""
        with self.transaction() as transaction:
            transaction.append(rows, streams, keys)

    @contextmanager
    def transaction(self) -> Iterator[PostgresTransaction]:
        """Statements travel together: only a read, and the commit, wait for the server."""
        self.check_writable()
        with self._lock, translated():
            connection = self._writing()
            try:
                with connection.pipeline() as pipeline, _quiet(pipeline):
                    connection.execute("BEGIN")
                    connection.execute(_LOCK)
                    last = connection.ask(LAST_POSITION)
                    connection.pgconn.send_flush_request()  # it is answered while others decide
                    connection.pgconn.flush()
                    transaction = PostgresTransaction(connection, last, self.genesis.secret)
                    yield transaction
                    if transaction.appended:
                        connection.execute("NOTIFY turnlog")
                    done = connection.execute("COMMIT")
                if done.statusmessage != "COMMIT":  # a transaction that failed before
                    raise Unavailable(f"nothing was stored: {done.statusmessage}")
            except BaseException:
                self._abandon(connection)
                raise
        self.signal.send()

    def _writing(self) -> Connection:
        if self._writer is None or not is_alive(self._writer):
            if self._writer is not None:
                self._writer.close()
            self._writer = self._connect()
        return self._writer

    def _abandon(self, connection: Connection) -> None:
        """Roll back; where that cannot be, the connection goes, and the server rolls back."""
        try:
            connection.rollback()
        except psycopg.Error:
            connection.close()

    @contextmanager
    def scan(self) -> Iterator[PostgresScan]:
        with self.reading() as connection:
            connection.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield PostgresScan(connection, connection.ask(LAST_POSITION), self.genesis.secret)
            finally:
                if not connection.closed:
                    connection.ask("ROLLBACK")

    @property
    def reader(self) -> PostgresReader:
        return PostgresReader(self.reading, self.genesis.secret)

    def wait_above(self, after: int, timeout: float) -> bool:
        with self._starting:
            if self._listener is None and not self._closed:
                self._listener = _Listener(self)
        return super().wait_above(after, timeout)

    def close(self) -> None:
        self._closed = True
        if self._listener is not None:
            self._listener.stop()
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        while self._idle:
            self._idle.pop().close()


@contextmanager
def _quiet(pipeline: psycopg.Pipeline) -> Iterator[None]:
    """Let what follows from an error be answered here: psycopg would print it on leaving."""
    try:
        yield
    except BaseException:
        with suppress(psycopg.Error):
            pipeline.sync()
        raise


class _Listener:
    """Sends the recorder's signal when any process commits; connects again when cut off."""

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._recorder = recorder
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
        with self._recorder._connect() as connection:
            connection.execute("LISTEN turnlog")
            while not self._stopping.is_set():
                for _ in connection.notifies(timeout=0.2, stop_after=1):
                    self._recorder.signal.send()
