"""Connections to PostgreSQL that never wait for ever."""

from __future__ import annotations

import select
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from eventsourcing.persistence import IntegrityError
from psycopg.adapt import Dumper
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Format

from turnlog.errors import Unavailable


class Connection(psycopg.Connection[Any]):
    """Waits `limit` seconds for an answer: a server that froze does not send one."""

    limit: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        try:
            return super().wait(gen, interval, self.limit if timeout is None else timeout)
        except psycopg.errors._WaitTimeout:
            if timeout is None:
                self.close()
            raise

    def ask(self, statement: LiteralString, parameters: Sequence[Any] | None = None) -> Any:
        return self.cursor(binary=True).execute(statement, parameters)


def conninfo(url: str, timeout: float) -> str:
    """The URL with the timeouts that the server itself keeps."""
    milliseconds = int(timeout * 1000)
    limits = (
        f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}"
        f" -c idle_in_transaction_session_timeout={milliseconds}"
    )
    given = conninfo_to_dict(url).get("options") or ""
    return make_conninfo(
        url, connect_timeout=max(2, round(timeout)), options=f"{limits} {given}".strip()
    )


def without_password(url: str) -> str:
    """The URL as it can be shown."""
    base, _, query = url.partition("?")
    scheme, _, rest = base.partition("://")
    user, at, host = rest.rpartition("@")
    kept = [part for part in query.split("&") if part and "password" not in part]
    shown = f"{scheme}://{user.partition(':')[0]}{at}{host}"
    return f"{shown}?{'&'.join(kept)}" if kept else shown


def is_alive(connection: Connection | psycopg.AsyncConnection[Any]) -> bool:
    """Whether the server has not hung up: it says nothing unasked but goodbye."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)


@contextmanager
def translated() -> Iterator[None]:
    """eventsourcing's or our own error for one of psycopg's."""
    try:
        yield
    except psycopg.errors.UniqueViolation as error:
        raise IntegrityError(_line(error)) from error
    except psycopg.Error as error:
        raise Unavailable(f"the database cannot be used: {_line(error)}") from error


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split())


class Integers(list[int]):
    """A column of numbers, sent as bigint[]."""


class Texts(list[bytes | None]):
    """A column of bytes, sent as bytea[]."""


_ARRAY = struct.Struct("!iiiii")  # dimensions, whether there are nulls, type, length, lower bound
_LENGTH = struct.Struct("!i").pack


class _IntegersDumper(Dumper):
    """psycopg's own dumper of lists takes ten times as long."""

    format = Format.BINARY
    oid = psycopg.adapters.types["int8"].array_oid

    def dump(self, obj: Integers) -> bytes:
        head = _ARRAY.pack(1, 0, psycopg.adapters.types["int8"].oid, len(obj), 1)
        sized = [part for number in obj for part in (8, number)]
        return head + struct.pack("!" + "iq" * len(obj), *sized)


class _TextsDumper(Dumper):
    format = Format.BINARY
    oid = psycopg.adapters.types["bytea"].array_oid

    def dump(self, obj: Texts) -> bytes:
        parts = [_ARRAY.pack(1, 1, psycopg.adapters.types["bytea"].oid, len(obj), 1)]
        for text in obj:
            parts += (_LENGTH(-1),) if text is None else (_LENGTH(len(text)), text)
        return b"".join(parts)


psycopg.adapters.register_dumper(Integers, _IntegersDumper)
psycopg.adapters.register_dumper(Texts, _TextsDumper)


def columns(rows: Sequence[Sequence[Any]]) -> list[Integers | Texts]:
    """Rows turned into columns; the first row's values tell which are numbers."""
    kinds = [Integers if type(value) is int else Texts for value in rows[0]]
    return [kind(column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]
