"""A log behind PgBouncer, in both of its modes: connections are lent to others in between."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="part not had: postgres: no package")

import psycopg

import turnlog
from tests.conftest import needing
from tests.faults.test_frozen import PATIENCE, TIMEOUT, frozen
from tests.parts import pgbouncer, postgres
from tests.parts.server import Server
from turnlog import UserUttered
from turnlog.errors import StorageError, Unavailable
from turnlog.server.answer_leases import AnswerLeases
from turnlog.storage.recorder import Recorder
from turnlog.storage.urls import recorder
from turnlog.testing.recorders import RecorderContract

SIZE = 2
"""Connections of the pooler to a database; more clients than that are active."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with needing("postgres"), postgres.running() as server:
        yield server


@pytest.fixture(scope="module", params=pgbouncer.MODES)
def pooler(request: pytest.FixtureRequest, server: Server) -> Iterator[Server]:
    with needing("pgbouncer"), pgbouncer.running(server, request.param, size=SIZE) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def sharing(server: Server) -> Iterator[Server]:
    """A pooler in transaction mode with one connection for all clients."""
    with needing("pgbouncer"), pgbouncer.running(server, "transaction", size=1) as pooler:
        yield pooler


@pytest.fixture
def database(server: Server) -> Iterator[str]:
    url = postgres.fresh_database(server.url)
    yield url.rpartition("/")[2]
    postgres.drop_database(url)


def through(pooler: Server, database: str, options: str = "pooled=1") -> str:
    return f"{pooler.url.rpartition('/')[0]}/{database}?{options}"


class TestPooled(RecorderContract):
    @pytest.fixture(autouse=True)
    def _database(self, pooler: Server, database: str) -> None:
        self.url = through(pooler, database)

    def create(self) -> Recorder:
        return recorder(self.url)

    reopen = create


def test_without_pooled_the_url_is_refused_and_the_option_named(
    pooler: Server, database: str
) -> None:
    with pytest.raises(Unavailable, match=r"behind PgBouncer the URL needs \?pooled=1"):
        turnlog.open(through(pooler, database, "timeout=5"))


def test_pooled_is_0_or_1() -> None:
    with pytest.raises(StorageError, match="pooled=yes must be 0 or 1"):
        turnlog.open("postgresql://db/chat?pooled=yes")


def test_recorded_events_are_read_verified_and_known_by_their_key(
    pooler: Server, database: str
) -> None:
    with turnlog.open(through(pooler, database)) as log:
        for n in range(5):
            log.record("alice", UserUttered(f"message {n}"), key=f"k{n}")
        assert not log.record("alice", UserUttered("again"), key="k3").new
        assert log.conversation("alice").turn == 5
    with turnlog.open(through(pooler, database)) as log:
        assert log.conversation("alice").turn == 5
        with log.store.scan() as scan:
            assert scan.last_position() == 5


def test_more_clients_than_connections_do_not_meet_each_others_statements(
    sharing: Server, database: str
) -> None:
    """With prepared statements: DuplicatePreparedStatement, or one that does not exist."""
    url = through(sharing, database)
    with turnlog.open(url) as log, turnlog.open(url) as other, ThreadPoolExecutor(8) as pool:
        done = [
            pool.submit(writer.record, f"c{n % 5}", UserUttered(str(n)))
            for n in range(40)
            for writer in (log, other)
        ]
        read = [pool.submit(lambda: log.conversation("c1").turn) for _ in range(40)]
        assert all(future.result().new for future in done)
        assert all(0 <= future.result() <= 16 for future in read)
        assert sum(log.conversation(f"c{n}").turn for n in range(5)) == 80
        assert log.store.reader.last_position() == 80


SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON turnlog_rows_t1
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()"""


def test_nothing_is_sent_after_the_end_of_a_transaction(
    server: Server, sharing: Server, database: str, tmp_path: Path
) -> None:
    """psycopg sends a Flush after a Sync that is not answered immediately. If it reaches the pooler
    after the answer, the server is lent for it, and no answer gives it back.
    """
    traced = tmp_path / "traced"
    with turnlog.open(through(sharing, database)) as log, traced.open("w") as trace:
        with psycopg.connect(f"{server.url.rpartition('/')[0]}/{database}") as maker:
            maker.execute(SLOW_COMMIT)
        with log.store.reading() as connection:  # type: ignore[attr-defined]
            connection.pgconn.trace(trace.fileno())
        log.record("alice", UserUttered("a transaction"))
        log.record("alice", UserUttered("one statement"))
        connection.pgconn.untrace()
    said = re.findall(r"\t(Query|Sync|Flush|ReadyForQuery\t I)", traced.read_text())
    before_the_end = {one for one, next in pairwise(said) if next.startswith("Ready")}
    assert before_the_end == {"Sync"}


def test_the_server_applies_the_timeout_to_our_transactions_only(
    sharing: Server, database: str
) -> None:
    def asked(lent: object) -> list[str]:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        return [lent._all(f"SHOW {name}")[0][0] for name in names]  # type: ignore[attr-defined]

    with turnlog.open(through(sharing, database, "pooled=1&timeout=7")) as log:
        for _ in range(3):
            assert asked(log.store.reader) == ["7s"] * 3
            with log.store.transaction() as transaction:
                assert asked(transaction) == ["7s"] * 3
            with log.store.scan() as scan:
                assert asked(scan) == ["7s"] * 3
            plain = through(sharing, database, "")
            with psycopg.connect(plain, prepare_threshold=None) as connection:
                assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_a_statement_that_takes_longer_ends(sharing: Server, database: str) -> None:
    with turnlog.open(through(sharing, database, "pooled=1&timeout=1")) as log:
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="statement timeout"):
            log.store.reader._all("SELECT pg_sleep(30)")  # type: ignore[attr-defined]
        assert time.monotonic() - begun < 2
        log.record("alice", UserUttered("it continues"))


def test_a_follower_hears_of_commits_without_notifications(pooler: Server, database: str) -> None:
    url = through(pooler, database)
    with turnlog.open(url) as log, turnlog.open(url) as other, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(log.store.wait_above, 0, 10)
        other.record("alice", UserUttered("hello"))
        recorded = time.monotonic()
        assert waiting.result()
        assert time.monotonic() - recorded < 2 * log.store.poll


def test_a_frozen_server_behind_the_pooler_gives_an_answer_in_time(
    server: Server, pooler: Server, database: str
) -> None:
    with turnlog.open(through(pooler, database, f"pooled=1&timeout={TIMEOUT}")) as log:
        log.record("alice", UserUttered("before"))
        with frozen(server):
            begun = time.monotonic()
            with pytest.raises(Unavailable):
                log.record("alice", UserUttered("meanwhile"), key="k")
            with pytest.raises(Unavailable):
                log.conversation("alice")
            assert time.monotonic() - begun < 2 * PATIENCE
        again = log.record("alice", UserUttered("meanwhile"), key="k")
        assert again.commits[0].version == 2


def test_one_server_at_a_time_answers_a_message(pooler: Server, database: str) -> None:
    async def scenario() -> None:
        mine, others = (AnswerLeases(through(pooler, database)) for _ in range(2))
        try:
            assert await mine.take("alice")
            await asyncio.sleep(0.05)
            assert not await others.take("alice")
            assert await others.take("bob")
            await mine.close()
            async with asyncio.timeout(5):
                while not await others.take("alice"):
                    await asyncio.sleep(0.02)
        finally:
            await mine.close()
            await others.close()

    asyncio.run(scenario())
