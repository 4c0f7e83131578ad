"""The connections of one log: lent for one answer each, and closed if none comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from turnlog.errors import Unavailable
from turnlog.storage.postgres_connection import (
    Connection,
    conninfo,
    is_alive,
)

MAX_CONNECTIONS = 20
"""The limit of connections per process and log; further requests wait."""

GRACE_SECONDS = 1.0
"""The seconds by which turnlog's limit exceeds the server's: a healthy server reports first."""


class Connections:
    """A log's connections, opened on first use.

    pooled: whether a pooler gives them to other clients between transactions. Nothing is then
    prepared on them or set beyond a transaction.
    """

    def __init__(self, url: str, timeout: float, *, pooled: bool) -> None:
        self.pooled = pooled
        self._timeout = timeout
        self._conninfo = conninfo(url, timeout, pooled=pooled)
        self._settings: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": None if pooled else 1,
        }
        self._watchdog = Watchdog(timeout + GRACE_SECONDS)
        self._writing = threading.Lock()
        self._writers: Connection | None = None
        self._pool = ConnectionPool(
            self._conninfo,
            connection_class=Connection,
            kwargs=self._settings,
            min_size=0,
            max_size=MAX_CONNECTIONS,
            timeout=timeout,
            reconnect_timeout=timeout,
            open=True,
        )

    @contextmanager
    def own(self) -> Iterator[Connection]:
        """A new connection for the caller alone. Fails immediately, with the reason, if the server
        is down.
        """
        made = Connection.connect(self._conninfo, **self._settings)
        with made as connection, self._watched(connection):
            yield connection

    @contextmanager
    def lent(self) -> Iterator[Connection]:
        """A pooled connection. An unfinished transaction on it is rolled back."""
        connection = self._taken()
        try:
            with self._watched(connection):
                yield connection
        finally:
            if connection.info.transaction_status != TransactionStatus.IDLE:
                connection.close()
            self._pool.putconn(connection)

    @contextmanager
    def writing(self, prepare: LiteralString) -> Iterator[Connection]:
        """The writer's connection, which stays reserved: taking one costs as much as a short
        statement.

        prepare: executed once on each connection.
        """
        with self._writing:
            if self._writers is None or not is_alive(self._writers):
                self._take_back()
                self._writers = self._taken()
            connection = self._writers
            try:
                with self._watched(connection):
                    if not connection.prepared:
                        connection.execute(prepare)
                        connection.prepared = True
                    yield connection
            finally:
                if connection.info.transaction_status != TransactionStatus.IDLE:
                    connection.close()

    def _take_back(self) -> None:
        if self._writers is not None:
            self._pool.putconn(self._writers)
            self._writers = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one statement outside a transaction."""
        with self.lent() as connection:
            if self.pooled:
                with connection.limited(self._timeout):
                    yield connection
            else:
                yield connection

    def limit(self, connection: Connection) -> None:
        """Gives time limits to the transaction if the connection has none."""
        if self.pooled:
            connection.limit_transaction(self._timeout)

    def _taken(self) -> Connection:
        """A connection that its server has not closed since its last use."""
        if self._pool.closed:
            raise Unavailable("the log was closed")
        until = time.monotonic() + self._timeout
        while not is_alive(connection := self._pool.getconn(until - time.monotonic())):
            connection.close()
            self._pool.putconn(connection)
        return connection

    @contextmanager
    def _watched(self, connection: Connection) -> Iterator[None]:
        try:
            with self._watchdog.watching(connection):
                yield
        except psycopg.Error as error:
            if not connection.hung_up:
                raise
            raise Unavailable(f"the database did not answer within {self._timeout:g} s") from error

    def close(self) -> None:
        """Closes all connections."""
        with self._writing:
            self._take_back()
        self._pool.close()
        self._watchdog.stop()


class Watchdog:
    """Closes connections to servers that do not answer; a frozen server cannot report it.

    limit: seconds, restarted by each request.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._watched: set[Connection] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="turnlog-watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, connection: Connection) -> Iterator[None]:
        """Watches a connection within the block."""
        connection.limit = self._limit
        connection.expect()
        with self._lock:
            self._watched.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._watched.discard(connection)

    def stop(self) -> None:
        """Stops the watchdog's thread."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        """Sleeps until the next limit. A request that begins meanwhile is not due earlier."""
        pause = self._limit
        while not self._stopping.wait(pause):
            with self._lock:
                now = time.monotonic()
                for connection in [one for one in self._watched if one.due <= now]:
                    self._watched.discard(connection)
                    connection.hang_up()
                dues = [connection.due for connection in self._watched]
            pause = min([self._limit, *(due - now for due in dues)])
