"""A PostgreSQL that froze: an answer in time, no acknowledgement, bounded memory (20)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

import turnlog
from tests.conftest import needing
from tests.parts import postgres
from tests.parts.server import Server
from turnlog import Turnlog, UserUttered
from turnlog.engine import aio
from turnlog.errors import Unavailable

TIMEOUT = 2
PATIENCE = 2 * TIMEOUT + 4
"""Every call is answered within these seconds: one wait for the lock, one for the server."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with needing("postgres"), postgres.running() as server:
        yield server


@contextmanager
def frozen(server: Server) -> Iterator[None]:
    """Every process of the server stopped; its connections stay open."""
    pids = [server.pid, *children(server.pid)]
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    """To each process that still exists: one that served a closed connection may have ended."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("needs /proc/PID/task/PID/children to find the server's processes")
    return [int(child) for child in children.read_text().split()]


def test_a_frozen_server_gives_an_answer_in_time_and_works_again_when_it_thaws(
    server: Server,
) -> None:
    url = f"{postgres.fresh_database(server.url)}?timeout={TIMEOUT}"
    with turnlog.open(url) as log:
        log.record("alice", UserUttered("before"))
        with frozen(server):
            begun = time.monotonic()
            with pytest.raises(Unavailable):
                log.record("alice", UserUttered("meanwhile"), key="k")
            with pytest.raises(Unavailable):
                log.conversation("alice")
            assert time.monotonic() - begun < 2 * PATIENCE
        again = log.record("alice", UserUttered("meanwhile"), key="k")
        texts = [event.text for event in log.conversation("alice").events()]  # type: ignore[attr-defined]
        assert texts == ["before", "meanwhile"]
        assert again.commits[0].version == 2
    postgres.drop_database(url.partition("?")[0])


def test_a_server_that_freezes_between_decision_and_commit_is_not_waited_for(
    server: Server,
) -> None:
    url = f"{postgres.fresh_database(server.url)}?timeout={TIMEOUT}"
    with turnlog.open(url) as log:
        log.record("alice", UserUttered("before"))
        begun = time.monotonic()
        with ExitStack() as until_thawed, pytest.raises(Unavailable, match="did not answer within"):
            freeze_in_a_transaction(log, server, until_thawed)
        assert time.monotonic() - begun < PATIENCE
        log.record("alice", UserUttered("after"))
        assert log.store.reader.last_position() == 2


def freeze_in_a_transaction(log: Turnlog, server: Server, until_thawed: ExitStack) -> None:
    with log.store.transaction() as transaction:
        assert transaction.last_position() == 1
        until_thawed.enter_context(frozen(server))


def test_closing_ends_in_time_while_a_commit_waits_and_leaves_no_connection(
    server: Server,
) -> None:
    database = postgres.fresh_database(server.url)
    log = turnlog.open(f"{database}?timeout={TIMEOUT}")
    log.record("alice", UserUttered("before"))
    assert sessions(server, database) > 0
    with ThreadPoolExecutor(1) as writer, frozen(server):
        waits = writer.submit(log.record, "alice", UserUttered("meanwhile"))
        begun = time.monotonic()
        with suppress(Unavailable):
            log.close()
        assert time.monotonic() - begun < 2 * PATIENCE
        with pytest.raises(Unavailable):
            waits.result(PATIENCE)
    with pytest.raises(Unavailable):
        log.record("alice", UserUttered("after"))
    until = time.monotonic() + PATIENCE
    while sessions(server, database) and time.monotonic() < until:
        time.sleep(0.05)
    assert sessions(server, database) == 0


def sessions(server: Server, database: str) -> int:
    """The number of clients that the server has in a database."""
    import psycopg

    name = database.rpartition("/")[2]
    counted = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
    with psycopg.connect(server.url) as connection:
        found: int = connection.execute(counted, (name,)).fetchone()[0]  # type: ignore[index]
    return found


def test_opening_a_frozen_server_is_refused_in_time(server: Server) -> None:
    url = f"{postgres.fresh_database(server.url)}?timeout={TIMEOUT}"
    begun = time.monotonic()
    with frozen(server), pytest.raises(Unavailable):
        turnlog.open(url)
    assert time.monotonic() - begun < PATIENCE


def test_thousands_of_waiting_calls_are_answered_and_more_are_refused(server: Server) -> None:
    url = f"{postgres.fresh_database(server.url)}?timeout={TIMEOUT}"

    async def scenario() -> None:
        async with turnlog.aopen(url) as log:
            await log.record("alice", UserUttered("before"))
            with frozen(server):
                begun = time.monotonic()
                asked = [
                    asyncio.ensure_future(log.record(f"c{n}", UserUttered("hello")))
                    for n in range(aio.MAX_WAITING + 100)
                ]
                answers = await asyncio.gather(*asked, return_exceptions=True)
                assert time.monotonic() - begun < 2 * PATIENCE
            assert all(isinstance(answer, Unavailable) for answer in answers)
            refused = [answer for answer in answers if "are waiting" in str(answer)]
            assert len(refused) == 100
            await log.record("alice", UserUttered("after"))
            assert len(await log.read_events("alice")) == 2

    asyncio.run(scenario())


def test_a_server_that_was_restarted_is_found_again(server: Server) -> None:
    with turnlog.open(f"{postgres.fresh_database(server.url)}?timeout={TIMEOUT}") as log:
        log.record("alice", UserUttered("before"))
        assert log.conversation("alice").turn == 1
        with ThreadPoolExecutor(10) as pool:  # so that many connections are broken
            list(pool.map(lambda _: log.conversation("alice").turn, range(50)))
        server.restart()
        assert log.conversation("alice").turn == 1
        log.record("alice", UserUttered("after"))
        assert log.conversation("alice").turn == 2
