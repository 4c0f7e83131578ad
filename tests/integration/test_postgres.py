"""PostgreSQL only: passwords are hidden, notifications arrive, many threads read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

import turnlog
from turnlog import UserUttered
from turnlog.audit.verify import verify
from turnlog.domain.commit import Commit
from turnlog.errors import Unavailable
from turnlog.projections.rebuilding import rebuild_heads
from turnlog.storage.postgres_append import PREPARED
from turnlog.storage.postgres_connection import Connection, conninfo, without_password


def test_a_password_is_not_shown() -> None:
    url = "postgresql://alice:secret@db.example:5432/chat?sslmode=require&sslpassword=secret"
    assert without_password(url) == "postgresql://alice@db.example:5432/chat?sslmode=require"
    assert without_password("postgresql:///chat") == "postgresql:///chat"
    with pytest.raises(Unavailable) as refused:
        turnlog.open("postgresql://alice:secret@127.0.0.1:1/chat")
    assert "secret" not in str(refused.value)


def test_the_server_keeps_the_timeout_along_with_other_options() -> None:
    made = conninfo("postgresql://db/chat?options=-c%20search_path%3Dmine", 2.5)
    assert "statement_timeout=2500" in made
    assert "lock_timeout=2500" in made
    assert "search_path=mine" in made


def test_a_url_reaches_the_server_unchanged(postgres_url: str) -> None:
    url = f"{postgres_url}?options=-c%20application_name%3Dmine&timeout=5"
    with turnlog.open(url) as log, log.store.transaction() as transaction:
        found = transaction._all("SHOW application_name")  # type: ignore[attr-defined]
        assert found == [("mine",)]


def test_a_commit_of_another_process_is_known_immediately(postgres_url: str) -> None:
    with turnlog.open(postgres_url) as log, turnlog.open(postgres_url) as other:
        assert not log.store.wait_above(0, 0.5)
        took: list[float] = []

        def wait() -> None:
            assert log.store.wait_above(0, 10)
            took.append(time.monotonic())

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.05)
        other.record("alice", UserUttered("hello"))
        recorded = time.monotonic()
        waiting.join()
        assert took[0] - recorded < log.store.poll


def test_many_threads_read_while_one_writes(postgres_url: str) -> None:
    with turnlog.open(postgres_url) as log, ThreadPoolExecutor(16) as pool:
        log.record("alice", UserUttered("0"))
        reading = [pool.submit(lambda: log.conversation("alice").turn) for _ in range(200)]
        for n in range(1, 20):
            log.record("alice", UserUttered(str(n)))
        turns = [future.result() for future in reading]
        assert all(1 <= turn <= 20 for turn in turns)
        assert log.conversation("alice").turn == 20


def test_the_log_assigns_positions_and_reports_them(postgres_url: str) -> None:
    """Several processes commit concurrently without looking; the tables follow all the same."""
    with ExitStack() as opened, ThreadPoolExecutor(3) as pool:
        logs = [opened.enter_context(turnlog.open(postgres_url)) for _ in range(3)]

        def wrote(mine: int) -> list[Commit]:
            log = logs[mine]
            made = [
                log.record(name, UserUttered(f"{n}"), key=f"k{n}").commits[0]
                for n in range(30)
                for name in (f"own-{mine}", f"shared-{n % 2}")
            ]
            log.current.catch_up()
            return made

        commits = [commit for made in pool.map(wrote, range(3)) for commit in made]
        rows = {row.position: row for row in logs[0].store.reader.tail(0, 1_000)}
        assert [*rows] == [*range(1, len(rows) + 1)]
        for commit in commits:
            stored = rows[commit.position or 0].commit()
            assert (stored.conversation, stored.version) == (commit.conversation, commit.version)
        assert len(rows) == 3 * 30 + 30  # the shared ones' keys are the same in all three
        assert verify(logs[1].store).faults == []
        logs[2].current.catch_up()
        before = [*logs[0].store.reader.heads()]
        rebuild_heads(logs[0].store)
        assert [*logs[0].store.reader.heads()] == before


def test_a_commit_to_a_conversation_of_this_process_is_one_statement(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counting(ask: Callable[..., Any]) -> Callable[..., Any]:
        def counted(connection: Connection, statement: str, *parameters: Any) -> Any:
            asked.append(statement)
            return ask(connection, statement, *parameters)

        return counted

    with turnlog.open(postgres_url) as log, turnlog.open(postgres_url) as other:
        for n in range(2):
            log.record("of mine", UserUttered("hello"), key=f"k{n}")
            other.record("of theirs", UserUttered("hello"), key=f"k{n}")
        for method in ("ask", "ask_prepared"):
            monkeypatch.setattr(Connection, method, counting(getattr(Connection, method)))
        assert log.record("of mine", UserUttered("hello"), key="k8").commits[0].position == 5
        assert other.record("of theirs", UserUttered("hello"), key="k9").commits[0].position == 6
        assert asked == [PREPARED, PREPARED]
