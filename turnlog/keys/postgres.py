"""A key store in PostgreSQL. Its tables are separate from those of a log in the same database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import Any, LiteralString

from turnlog.errors import NoSuchLog
from turnlog.keys.tables import SCHEMA, KeyTables
from turnlog.storage import forks
from turnlog.storage.postgres_connection import Connection, translated
from turnlog.storage.postgres_pool import Connections
from turnlog.storage.shown_url import without_password
from turnlog.storage.urls import libpq_url

_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(1953853817, hashtext(current_schema()))"
_EXISTS: LiteralString = "SELECT to_regclass('keystore') IS NOT NULL"
_TYPES = {
    "BLOB": "bytea",
    "INTEGER PRIMARY KEY AUTOINCREMENT": "bigserial PRIMARY KEY",
    "INTEGER": "bigint",
}


class PostgresKeyTables(forks.Forked, KeyTables):
    """Without `create`, raises NoSuchLog if the tables do not exist."""

    out_of_reach = ("the write-ahead log of the key store's database, and its replicas",)

    def __init__(self, url: str, *, create: bool) -> None:
        address = libpq_url(url)
        self.url = without_password(address.url)
        self._connections = Connections(address.url, address.timeout, pooled=address.pooled)
        self._lock = RLock()
        self._held: Connection | None = None
        try:
            self._prepare(create=create)
        except BaseException:
            self._connections.close()
            raise
        forks.tell(self)

    def _prepare(self, *, create: bool) -> None:
        with self.exclusively():
            if self.ask(_EXISTS)[0][0]:
                return
            if not create:
                raise NoSuchLog(self.url)
            schema = SCHEMA
            for ours, theirs in _TYPES.items():
                schema = schema.replace(ours, theirs)
            for statement in schema.split(";"):
                self.ask(statement)

    def ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """See `KeyTables.ask`."""
        asked: LiteralString = statement.replace("?", "%b")  # pyright: ignore[reportAssignmentType]
        with self._lock, translated(), self._connection() as connection:
            cursor = connection.ask(asked, parameters)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """The connection of the open transaction, or another one."""
        if self._held is not None:
            yield self._held
        else:
            with self._connections.reading() as connection:
                yield connection

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """See `KeyTables.exclusively`; an advisory lock of the schema."""
        with self._lock, translated(), self._connections.lent() as connection:
            connection.ask("BEGIN")
            self._connections.limit(connection)
            connection.ask(_LOCK)
            self._held = connection
            try:
                yield
                connection.ask("COMMIT")
            finally:
                self._held = None

    def scrub(self) -> None:
        """Rewrites the tables. The write-ahead log keeps the old bytes until it is recycled."""
        self.ask("VACUUM FULL keystore_subjects")
        self.ask("VACUUM FULL keystore")

    def close(self) -> None:
        """See `KeyTables.close`."""
        self._connections.close()

    def after_fork(self) -> None:
        """Never closes the parent's connections."""
        forks.never_freed(self._connections)
