"""Connections to PostgreSQL that never wait for ever."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from eventsourcing.persistence import IntegrityError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

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


def is_alive(connection: Connection) -> bool:
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
