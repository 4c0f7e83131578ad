"""One connection to PostgreSQL: what its URL says, and its errors as turnlog's own."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, LiteralString

import psycopg
from eventsourcing.persistence import IntegrityError
from psycopg import generators
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format

from turnlog.errors import StorageError, Unavailable
from turnlog.storage.shown_url import without_password

NEVER = float("inf")
POOLER_REFUSES = "unsupported startup parameter"


class Connection(psycopg.Connection[Any]):
    """A connection that knows by when the server must have answered."""

    limit = NEVER
    due = NEVER
    hung_up = False
    prepared = False

    def ask(self, statement: LiteralString, parameters: Sequence[Any] | None = None) -> Any:
        """Executes a statement, and restarts the time limit."""
        self.expect()
        return self.cursor(binary=True).execute(statement, parameters)

    def ask_prepared(self, name: str, columns: Sequence[Integers | Texts]) -> bytes | None:
        """The value that a prepared statement returns, in binary.

        A cursor would take as long as the server.
        """
        self.expect()
        values = [encoded(column) for column in columns]
        formats = [Format.BINARY] * len(values)
        self.pgconn.send_query_prepared(name.encode(), values, formats, Format.BINARY)
        [result] = self.wait(generators.execute(self.pgconn))
        if result.status != ExecStatus.TUPLES_OK:
            raise error_from_result(result)
        value: bytes | None = result.get_value(0, 0)
        return value

    def expect(self) -> None:
        """Restarts the time limit."""
        self.due = time.monotonic() + self.limit

    def hang_up(self) -> None:
        """Ends another thread's wait, which then sees a closed connection."""
        self.hung_up = True
        with suppress(OSError), socket.socket(fileno=os.dup(self.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def sent_together(self) -> Iterator[None]:
        """Pipelines statements; without BEGIN, they form one transaction.

        On leaving, psycopg sends a Flush after the Sync. PgBouncer takes it for a request, and
        keeps the server connection until the next answer. The transaction must therefore end after
        the pipeline.

        Follow-up errors are answered here, because psycopg would print them on leaving.
        """
        with self.pipeline() as pipeline:
            try:
                yield
            except BaseException:
                with suppress(psycopg.Error):
                    pipeline.sync()
                raise

    @contextmanager
    def limited(self, timeout: float) -> Iterator[None]:
        """A transaction with the server's own time limits, at the cost of two round trips."""
        self.expect()
        self.execute(f"BEGIN; {_local_limits(timeout)}".encode())
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):
                self.rollback()
            raise
        self.ask("COMMIT")

    def limit_transaction(self, timeout: float) -> None:
        """Makes the server apply the time limits until the transaction ends."""
        self.ask(
            "SELECT set_config(name, %b, true) FROM unnest(%b::text[]) AS name",
            (_milliseconds(timeout), list(LIMITS)),
        )


def conninfo(url: str, timeout: float, *, pooled: bool = False) -> str:
    """The URL with time limits that the server applies itself; a pooler refuses to pass them on.

    Raises StorageError if libpq does not understand the URL.
    """
    try:
        options = conninfo_to_dict(url).get("options") or ""
    except psycopg.ProgrammingError as error:
        why = _line(error)
        if "@" in why:  # the quoted text is the end of a password
            why = "libpq cannot read this URL; in a password, %-encode : / ? # [ ] @"
        raise StorageError(f"{without_password(url)!r}: {why}") from error
    wait = max(2, round(timeout))
    if pooled:
        return make_conninfo(url, connect_timeout=wait)
    limits = " ".join(f"-c {name}={_milliseconds(timeout)}" for name in LIMITS)
    return make_conninfo(url, connect_timeout=wait, options=f"{limits} {options}".strip())


LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


def _local_limits(timeout: float) -> str:
    return "; ".join(f"SET LOCAL {name} = {_milliseconds(timeout)}" for name in LIMITS)


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def is_alive(connection: Connection | psycopg.AsyncConnection[Any]) -> bool:
    """Whether the server has not hung up: unasked, it only says goodbye."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


@contextmanager
def translated() -> Iterator[None]:
    """Translates psycopg's errors into eventsourcing's or turnlog's own."""
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise IntegrityError(_line(error)) from error
    except psycopg.Error as error:
        hint = "; behind PgBouncer the URL needs ?pooled=1" if POOLER_REFUSES in str(error) else ""
        raise Unavailable(f"the database cannot be used: {_line(error)}{hint}") from error


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


class Integers(list[int]):
    """A column of numbers, sent as bigint[]."""


class Texts(list[bytes | None]):
    """A column of bytes, sent as bytea[]."""


_ARRAY = struct.Struct("!iiiii")  # dimensions, whether there are nulls, type, length, lower bound
_LENGTH = struct.Struct("!i").pack


class _IntegersDumper(Dumper):
    """Dumps a column. psycopg's own dumper of lists takes ten times as long."""

    format = Format.BINARY
    oid = psycopg.adapters.types["int8"].array_oid

    def dump(self, obj: Integers) -> bytes:
        return encoded(obj)


class _TextsDumper(Dumper):
    format = Format.BINARY
    oid = psycopg.adapters.types["bytea"].array_oid

    def dump(self, obj: Texts) -> bytes:
        return encoded(obj)


_INT8, _BYTEA = (psycopg.adapters.types[name].oid for name in ("int8", "bytea"))


def encoded(column: Integers | Texts) -> bytes:
    """A parameter in the server's binary format."""
    if isinstance(column, Integers):
        sized = [part for number in column for part in (8, number)]
        head = _ARRAY.pack(1, 0, _INT8, len(column), 1)
        return head + struct.pack("!" + "iq" * len(column), *sized)
    parts = [_ARRAY.pack(1, 1, _BYTEA, len(column), 1)]
    for text in column:
        parts += (_LENGTH(-1),) if text is None else (_LENGTH(len(text)), text)
    return b"".join(parts)


psycopg.adapters.register_dumper(Integers, _IntegersDumper)
psycopg.adapters.register_dumper(Texts, _TextsDumper)


def columns(rows: Sequence[Sequence[Any]]) -> list[Integers | Texts]:
    """Rows as columns; the first row's values decide which are numbers."""
    kinds = [Integers if type(value) is int else Texts for value in rows[0]]
    return [kind(column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]
