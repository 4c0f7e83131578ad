"""A backup that replaces a log: whole, alone, and killed at any point."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import turnlog
from tests.command_line import Ran, run
from tests.parts import ROOT
from tests.stored import rows_of
from turnlog import TailLost, UserUttered
from turnlog.domain.streams import UPKEEP
from turnlog.engine.log import Turnlog
from turnlog.storage import copying
from turnlog.storage.sqlite import SqliteRecorder

BACKED_UP, LATER = 100, 200


def opened(path: Path) -> Turnlog:
    return turnlog.open(f"sqlite:///{path}")


def fill(log: Turnlog, turns: int) -> None:
    for number in range(turns):
        log.record("alice", UserUttered(f"message {number}" * 50))


def over(backup: Path, path: Path) -> Ran:
    return run("restore", backup, "--over", "--json", "--db", f"sqlite:///{path}")


def verifies(path: Path) -> bool:
    return run("verify", "--db", f"sqlite:///{path}").status == 0


def hashes(folder: Path) -> dict[str, str]:
    """Of the files that contain data, with their names."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if not path.name.endswith("-shm")
    }


def length(path: Path) -> int:
    with opened(path) as log:
        return log.store.reader.last_position()


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "backup.db"


@pytest.fixture
def killed(tmp_path: Path, backup: Path) -> Path:
    """A log as a killed process leaves it, most of it in the -wal, and a backup from before."""
    path, left = tmp_path / "live" / "log.db", tmp_path / "left"
    path.parent.mkdir()
    with opened(path) as log:
        fill(log, BACKED_UP)
        copying.backup(log.store, backup)
        fill(log, 10)
        assert isinstance(log.store, SqliteRecorder)
        log.store._writer.execute("PRAGMA wal_checkpoint(RESTART)")
        fill(log, LATER - BACKED_UP - 10)
        left.mkdir()
        for name in ("log.db", "log.db-wal", "log.db-highwater"):
            shutil.copy(path.with_name(name), left)
    return left / "log.db"


def test_a_backup_copied_over_a_log_with_its_wal_is_not_a_log(killed: Path, backup: Path):
    """The purpose of `restore --over`."""
    shutil.copy(backup, killed)
    assert not verifies(killed)
    assert over(backup, killed).status == 0
    assert verifies(killed)
    assert length(killed) == BACKED_UP


@pytest.mark.parametrize("state", ["killed", "closed", "damaged", "empty", "gone"])
def test_a_backup_replaces_a_log_in_any_state(killed: Path, backup: Path, state: str):
    if state == "closed":
        opened(killed).close()
    elif state == "damaged":
        killed.write_bytes(b"\xff" * 4096 + killed.read_bytes()[4096:])
    elif state == "empty":
        killed.write_bytes(b"")
    elif state == "gone":
        killed.unlink()
    ran = over(backup, killed)
    assert (ran.status, ran.json["commits"]) == (0, BACKED_UP)
    assert [path.name for path in killed.parent.iterdir()] == ["log.db"]
    assert verifies(killed)
    with opened(killed) as log:
        fill(log, 1)
        assert log.store.reader.last_position() == BACKED_UP + 1
    assert verifies(killed)


def test_nothing_changes_while_another_process_has_the_log_open(killed: Path, backup: Path):
    code = (
        "import sys, turnlog; log = turnlog.open(sys.argv[1]); print('open', flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, f"sqlite:///{killed}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        before = hashes(killed.parent)
        ran = over(backup, killed)
        assert ran.status == 2
        assert "cannot be replaced: database is locked" in ran.err
        assert hashes(killed.parent) == before
    finally:
        other.communicate(b"\n")
    assert length(killed) == LATER
    assert over(backup, killed).status == 0


def test_a_log_open_in_this_process_is_not_replaced(killed: Path, backup: Path):
    with opened(killed) as log:
        assert over(backup, killed).status == 2
        fill(log, 1)
    assert length(killed) == LATER + 1
    assert verifies(killed)


def test_a_copy_that_may_have_lost_rows_replaces_nothing(killed: Path, tmp_path: Path):
    copy = tmp_path / "copy.db"
    shutil.copy(killed, copy)
    before = hashes(killed.parent)
    for vouching, why in ((False, "cannot be verified"), (True, "the log ended at")):
        if vouching:
            shutil.copy(f"{killed}-highwater", f"{copy}-highwater")
        ran = over(copy, killed)
        assert ran.status == 2
        assert why in ran.err
        assert hashes(killed.parent) == before


def test_a_log_is_restored_where_only_the_high_water_file_is_left(killed: Path, backup: Path):
    """With a warning, when opened, about the missing rows."""
    for name in ("log.db", "log.db-wal"):
        killed.with_name(name).unlink()
    assert run("restore", backup, "--db", f"sqlite:///{killed}").status == 0
    with opened(killed) as log:
        (loss,) = rows_of(log.store.reader, UPKEEP)
        assert isinstance(loss.commit().events[0], TailLost)
        assert log.store.reader.last_position() == BACKED_UP + 1
    assert verifies(killed)


@pytest.mark.parametrize("source", ["log.db", "link.db", "none.db", "text.db"])
def test_a_file_that_is_not_a_backup_replaces_nothing(killed: Path, tmp_path: Path, source: str):
    (killed.parent / "link.db").symlink_to(killed)
    (killed.parent / "text.db").write_text("no database")
    before = hashes(killed.parent)
    assert over(killed.parent / source, killed).status == 2
    assert hashes(killed.parent) == before


def test_a_file_that_is_not_a_log_is_not_replaced(backup: Path, killed: Path, tmp_path: Path):
    others = tmp_path / "others"
    others.mkdir()
    with closing(sqlite3.connect(others / "app.db")) as connection:
        connection.execute("CREATE TABLE t (x)")
    (others / "notes.txt").write_text("what to remember\n" * 1000)
    before = hashes(others)
    for path in (*others.iterdir(), others, others / "none" / "log.db"):
        ran = over(backup, path)
        assert ran.status == 2
        assert path.name in ran.err
    assert hashes(others) == before


def test_a_link_still_leads_to_the_log(killed: Path, backup: Path, tmp_path: Path):
    link = tmp_path / "link.db"
    link.symlink_to(killed)
    assert over(backup, link).status == 0
    assert link.is_symlink()
    assert length(killed) == BACKED_UP


@pytest.mark.parametrize("url", ["memory:", "postgresql://user@localhost:1/none"])
def test_only_a_file_is_replaced(backup: Path, killed: Path, url: str):
    ran = run("restore", backup, "--over", "--db", url)
    assert ran.status == 2
    assert "--over replaces the file of a SQLite log" in ran.err


def test_a_restore_killed_at_any_point_leaves_the_old_log_or_the_new_one(
    killed: Path, backup: Path, tmp_path: Path
):
    copies = tmp_path / "copies"
    copies.mkdir()
    arguments = (killed.parent, backup, copies)
    subprocess.run(
        [sys.executable, "-m", "tests.faults.replacing", *map(str, arguments)],
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    ends = [length(copy / "log.db") for copy in sorted(copies.iterdir())]
    assert ends == sorted(ends, reverse=True)
    assert set(ends) >= {LATER, BACKED_UP}
    assert set(ends) <= {LATER, BACKED_UP, BACKED_UP + 1}  # with a note that the rest is missing
    assert len(ends) > 30
    assert ends[-1] == BACKED_UP
    for copy in copies.iterdir():
        assert verifies(copy / "log.db")
        assert over(backup, copy / "log.db").status == 0
        assert length(copy / "log.db") == BACKED_UP
