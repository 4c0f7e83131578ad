"""Backups of a live log, restored into either back end."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import SlotSet, UserUttered
from turnlog.engine.log import Turnlog
from turnlog.errors import NewerFormat, OlderFormat, StorageError, Unavailable
from turnlog.storage import copying
from turnlog.storage.checkpoints import ALL
from turnlog.storage.copying import END
from turnlog.storage.rows import KINDS, Body


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
    """Every row of every table, except a backup's record of its end."""
    tables: tuple[Any, ...] = tuple(kind for kind in KINDS if kind is not Body)
    with log.store.scan() as scan:
        every = [list(scan.every(kind)) for kind in tables]
    return [
        [each for each in found if getattr(each, "model", None) not in (END, ALL)]
        for found in every
    ]


def test_a_copy_is_identical_byte_for_byte_on_either_back_end(
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
        with turnlog.open(postgres_url) as moved, copying.opened(path) as source:
            copying.copy(source, moved.store)
            assert contents(moved) == before
            moved.record("c0", UserUttered("and on"))


def test_a_backup_of_a_log_in_use_shows_one_moment(url: str, tmp_path: Path) -> None:
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


def test_the_commands_back_up_and_restore(url: str, tmp_path: Path) -> None:
    with turnlog.open(url) as log:
        fill(log, 20)
    path = tmp_path / "copy.db"
    status, out, _ = run("backup", str(path), "--json", "--db", url)
    assert (status, json.loads(out)["commits"]) == (0, 20)
    again = run("backup", str(path), "--db", url)
    assert again[0] == 2
    assert "file exists already" in again[2]
    into = f"sqlite:///{tmp_path / 'restored.db'}"
    assert run("restore", str(path), "--db", into)[0] == 0
    refused = run("restore", str(path), "--db", into)
    assert refused[0] == 2
    assert "contains 20 commits already" in refused[2]
    assert run("verify", "--db", into)[0] == 0
    assert run("restore", str(tmp_path / "none.db"), "--db", into)[0] == 2


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with turnlog.open("memory:") as log:
        fill(log, 5)
        log.store.close()
        with pytest.raises(StorageError):
            copying.backup(log.store, tmp_path / "nowhere" / "copy.db")
    assert list(tmp_path.iterdir()) == []


def changed(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_a_log_of_a_newer_turnlog_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        fill(log, 5)
    changed(path, "PRAGMA user_version = 3")
    with pytest.raises(NewerFormat, match="written with schema 3"):
        turnlog.open(f"sqlite:///{path}")


def test_a_log_without_a_table_for_large_values_is_refused_with_the_way_to_migrate(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        fill(log, 5)
    changed(path, "PRAGMA user_version = 1", "DROP TABLE blobs")
    with pytest.raises(OlderFormat, match="export --format jsonl"):
        turnlog.open(f"sqlite:///{path}")


def test_a_log_with_an_older_row_format_is_refused_with_the_way_to_migrate(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    changed(
        path, "CREATE TABLE commits (position INTEGER)", f"PRAGMA application_id = {0x7475726E}"
    )
    with pytest.raises(OlderFormat, match="export --format jsonl"):
        turnlog.open(f"sqlite:///{path}")
    assert run("list", "--db", f"sqlite:///{path}").status == 2


def test_a_process_of_this_version_cannot_continue_after_a_newer_one_upgraded_the_log(
    tmp_path: Path,
) -> None:
    """As a future upgrade will do it: the table of rows is named for their format."""
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        fill(log, 5)
        log.current.catch_up()
        changed(path, "ALTER TABLE rows_t1 RENAME TO rows_t2")
        with pytest.raises(Unavailable, match="rows_t1"):
            log.record("c0", UserUttered("and on"))
        changed(path, "ALTER TABLE rows_t2 RENAME TO rows_t1")
        log.record("c0", UserUttered("and on"))


def test_a_process_with_an_empty_log_open_must_reopen_it_after_a_restore(
    url: str, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    with turnlog.open(f"sqlite:///{tmp_path / 'another.db'}") as log:
        fill(log, 5)
        copying.backup(log.store, backup)
    with turnlog.open(url) as log:
        assert list(log.ids()) == []
        assert run("restore", str(backup), "--db", url).status == 0
        for id in ("new", "c1"):
            with pytest.raises(Unavailable, match="open it again"):
                log.record(id, UserUttered("meanwhile"))
    with turnlog.open(url) as log:
        log.record("c1", UserUttered("and on"))
        assert not log.record("c1", UserUttered("again"), key="k1").new
    assert run("verify", "--db", url).status == 0
