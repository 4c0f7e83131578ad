"""Backups of a live log, restored into either back end."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import SlotSet, UserUttered
from turnlog.engine.log import Turnlog
from turnlog.errors import StorageError
from turnlog.storage import copying
from turnlog.storage import postgres as postgres_module
from turnlog.storage import sqlite as sqlite_module
from turnlog.storage.rows import Entry, Head, Mark, Row, Snapshot
from turnlog.storage.sqlite import SqliteRecorder


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'live.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


def fill(log: Turnlog, turns: int = 200) -> None:
    for n in range(turns):
        log.record(f"c{n % 3}", UserUttered(f"{n} \0 😀"), SlotSet("n", n), key=f"k{n}")
    log.view("slots")


def contents(log: Turnlog) -> list[object]:
    tables: tuple[Any, ...] = (Row, Head, Snapshot, Mark, Entry)
    with log.store.scan() as scan:
        return [list(scan.every(kind)) for kind in tables]


def test_a_copy_is_the_same_byte_for_byte_on_either_back_end(
    url: str, tmp_path: Path, postgres_url: str
) -> None:
    path = tmp_path / "copy.db"
    with turnlog.open(url) as log:
        fill(log)
        before = contents(log)
        copied = copying.backup(log.store, path)
        assert (copied.commits, copied.conversations) == (200, 3)
    with turnlog.open(f"sqlite:///{path}") as copy:
        assert contents(copy) == before
    if url != postgres_url:
        with turnlog.open(postgres_url) as moved:
            copying.restore(path, moved.store)
            assert contents(moved) == before
            moved.record("c0", UserUttered("and on"))


def test_a_backup_of_a_log_that_is_written_is_one_moment_of_it(url: str, tmp_path: Path) -> None:
    with turnlog.open(url) as log:
        fill(log)
        stopping = threading.Event()

        def write() -> None:
            while not stopping.is_set():
                log.record("busy", UserUttered("hello"))

        writer = threading.Thread(target=write)
        writer.start()
        for number in range(3):
            copying.backup(log.store, tmp_path / f"copy{number}.db")
        stopping.set()
        writer.join()
    for number in range(3):
        db = f"sqlite:///{tmp_path / f'copy{number}.db'}"
        status, out, _ = run("verify", "--json", "--db", db)
        assert (status, json.loads(out)["ok"]) == (0, True)


def test_the_commands(url: str, tmp_path: Path) -> None:
    with turnlog.open(url) as log:
        fill(log, 20)
    path = tmp_path / "copy.db"
    status, out, _ = run("backup", str(path), "--json", "--db", url)
    assert (status, json.loads(out)["commits"]) == (0, 20)
    again = run("backup", str(path), "--db", url)
    assert again[0] == 2
    assert "there is a file already" in again[2]
    into = f"sqlite:///{tmp_path / 'restored.db'}"
    assert run("restore", str(path), "--db", into)[0] == 0
    refused = run("restore", str(path), "--db", into)
    assert refused[0] == 2
    assert "holds 20 commits already" in refused[2]
    assert run("verify", "--db", into)[0] == 0
    assert run("restore", str(tmp_path / "none.db"), "--db", into)[0] == 2


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with turnlog.open("memory:") as log:
        fill(log, 5)
        log.store.close()
        with pytest.raises(StorageError):
            copying.backup(log.store, tmp_path / "nowhere" / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_the_tables_of_an_older_turnlog_are_brought_up_to_date_and_no_row_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a next version made up for the test: none changed the tables so far."""
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        fill(log, 20)
        before = contents(log)
    monkeypatch.setattr(sqlite_module, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(sqlite_module, "UPGRADES", {2: "CREATE TABLE later (id INTEGER)"})
    with turnlog.open(f"sqlite:///{path}") as log:
        assert contents(log) == before
        assert isinstance(log.store, SqliteRecorder)
        assert log.store._writer.execute("PRAGMA user_version").fetchone() == (3,)
        assert log.store._writer.execute("SELECT count(*) FROM later").fetchone() == (0,)
    turnlog.open(f"sqlite:///{path}").close()
    monkeypatch.undo()
    with pytest.raises(StorageError, match="written with schema 3"):
        turnlog.open(f"sqlite:///{path}")


def test_the_tables_of_an_older_turnlog_in_postgres_are_brought_up_to_date(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with turnlog.open(postgres_url) as log:
        fill(log, 20)
        before = contents(log)
    monkeypatch.setattr(postgres_module, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(postgres_module, "UPGRADES", {2: "CREATE TABLE turnlog_later (id int)"})
    for _ in range(2):  # once only
        with turnlog.open(postgres_url) as log:
            assert contents(log) == before
            log.record("later", UserUttered("goes on"), key="once")
            before = contents(log)
    monkeypatch.undo()
    with pytest.raises(StorageError, match="written with schema 3"):
        turnlog.open(postgres_url)
