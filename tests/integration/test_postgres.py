"""What is PostgreSQL's own: passwords are not shown, notifications arrive, many readers at once."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import turnlog
from turnlog import UserUttered
from turnlog.errors import Unavailable
from turnlog.storage.postgres_connection import conninfo, without_password


def test_a_password_is_not_shown() -> None:
    url = "postgresql://alice:secret@db.example:5432/chat?sslmode=require&sslpassword=secret"
    assert without_password(url) == "postgresql://alice@db.example:5432/chat?sslmode=require"
    assert without_password("postgresql:///chat") == "postgresql:///chat"
    with pytest.raises(Unavailable) as refused:
        turnlog.open("postgresql://alice:secret@127.0.0.1:1/chat")
    assert "secret" not in str(refused.value)


def test_the_server_keeps_the_timeout_beside_options_that_were_given() -> None:
    made = conninfo("postgresql://db/chat?options=-c%20search_path%3Dmine", 2.5)
    assert "statement_timeout=2500" in made
    assert "lock_timeout=2500" in made
    assert "search_path=mine" in made


def test_a_url_reaches_the_server_as_it_was_given(postgres_url: str) -> None:
    url = f"{postgres_url}?options=-c%20application_name%3Dmine&timeout=5"
    with turnlog.open(url) as log, log.store.transaction() as transaction:
        found = transaction._all("SHOW application_name")  # type: ignore[attr-defined]
        assert found == [("mine",)]


def test_a_commit_of_another_process_is_known_at_once(postgres_url: str) -> None:
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
