"""Given a large file, when it is stored, read and erased: little memory is used, and no byte is
left.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import MediaAdded, TextAdded, UserUttered
from turnlog.audit.attachments import sweep
from turnlog.encoding.dropping import dropped
from turnlog.engine.log import Turnlog

SIZE = 50_000_000
MEMORY = 20_000_000
"""The bytes that a process may use for a file of any length."""

_MEASURED = """
import sys, turnlog
from turnlog import MediaAdded, UserUttered
from turnlog.audit.verify import verify
from turnlog.storage.copying import backup
from pathlib import Path

path, url, copy = sys.argv[1:]

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

def same(path, held):
    with open(path, "rb") as file, held.open() as found:
        while piece := file.read(65_536):
            assert found.read(65_536) == piece
        assert found.read() == b""

with turnlog.open(url) as log:
    log.record("alice", UserUttered("a small one"), MediaAdded("video", content=bytes(200_000)))
    same("/dev/null", log.attach("alice", open("/dev/null", "rb")))
    verify(log.store)
    backup(log.store, Path(copy + ".small"))
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = peak()
    with open(path, "rb") as file:
        made = log.attach("alice", file, type="video/mp4")
    log.record("alice", UserUttered("a film"), MediaAdded("video", content=made))
    {then}
    assert verify(log.store).faults == []
    backup(log.store, Path(copy))
    print(peak() - before)
"""
IN_AND_OUT = 'same(path, log.read_events("alice")[3].content)'
AT_ONCE = 'bytes(log.read_events("alice")[3].content)'


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'l.db'}"
    address: str = request.getfixturevalue("postgres_url")
    return address


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film"
    with path.open("wb") as file:
        for _ in range(SIZE // 1_000_000):
            file.write(os.urandom(1_000_000))
    return path


def bytes_taken(url: str, film: Path, then: str) -> int:
    """Measures in a new process, because getrusage's peak is inherited."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED.replace("{then}", then), str(film), url, f"{film}.copy"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_fifty_megabytes_are_stored_and_read_in_little_memory(url: str, film: Path) -> None:
    assert bytes_taken(url, film, IN_AND_OUT) < MEMORY


def test_who_asks_for_all_of_it_is_seen(film: Path, tmp_path: Path) -> None:
    """Shows that the test above can fail."""
    assert bytes_taken(f"sqlite:///{tmp_path / 'l.db'}", film, AT_ONCE) > SIZE


# --- counted ------------------------------------------------------------------------------------


def test_attachments_and_their_bytes_are_counted(url: str, tmp_path: Path) -> None:
    with turnlog.open(url) as log:
        image = MediaAdded("image", content=bytes(900_000), actor="user")
        log.record("alice", UserUttered("look"), image, image)
        log.record("bob", UserUttered("long"), TextAdded("x" * 100_000))
    db, copy = ["--db", url], ["--db", f"sqlite:///{tmp_path / 'restored.db'}"]
    counted = {"attachments": 2, "attached_bytes": 1_000_005}
    assert counted.items() <= run("stats", "--json", *db).json.items()
    assert counted.items() <= run("verify", "--json", *db).json.items()
    said = run("verify", *db).out
    assert "2 conversations, 5 events, 2 attachments of 1,000,005 bytes: no faults" in said
    of_alice = run("verify", "alice", "--json", *db).json
    assert (of_alice["attachments"], of_alice["attached_bytes"]) == (1, 900_000)
    backup = str(tmp_path / "backup.db")
    assert counted.items() <= run("backup", backup, "--json", *db).json.items()
    assert "2 attachments of 1,000,005 bytes" in run("restore", backup, *copy).out
    assert counted.items() <= run("verify", "--json", *copy).json.items()


# --- away ---------------------------------------------------------------------------------------

MARK = b"bytes of a person "
LARGE = MARK * 60_000


def test_no_byte_is_left_of_an_attachment_dropped_with_its_event(url: str, tmp_path: Path) -> None:
    with turnlog.open(url) as log:
        log.record("bob", UserUttered("before"))
        shown = UserUttered("look"), MediaAdded("image", content=LARGE, actor="user")
        log.record("alice", *shown)
        log.record("alice", *shown)
        log.record("bob", UserUttered("after"))
        log.current.catch_up()
        assert _left(log, tmp_path) > len(LARGE) * 0.99
        for row in log.store.reader.rows(log.head("alice")[0].stream):
            _drop(log, row)
        with log.store.transaction() as transaction:
            assert sweep(transaction) == 1
        assert _left(log, tmp_path) == 0
    with turnlog.open(url) as log:
        assert _left(log, tmp_path) == 0


def _drop(log: Turnlog, row: Any) -> None:
    """Drops a row's content, as erasure without keys does."""
    commitments, parts = dropped(row.commitments, row.parts, lambda place: True)
    given = (commitments, parts, row.position)
    with log.store.transaction() as transaction:
        erased: Any = transaction
        if log.store.url.startswith("sqlite:"):
            statement = "UPDATE rows_t1 SET commitments = ?, parts = ? WHERE position = ?"
            erased._many(statement, [given])
        else:
            statement = (
                "UPDATE turnlog_rows_t1 SET commitments = %b, parts = %b WHERE position = %b"
            )
            erased._connection.ask(statement, given)


def _left(log: Turnlog, folder: Path) -> int:
    """Finds bytes of the file in the database, except at the ends of pages."""
    stored = b"".join(_stored(log, folder))
    return stored.count(MARK) * len(MARK) + stored.count(MARK.hex().encode()) * len(MARK)


def _stored(log: Turnlog, folder: Path) -> Iterator[bytes]:
    """The files of SQLite on the disk, or every table of PostgreSQL."""
    if log.store.url.startswith("sqlite:"):
        with sqlite3.connect(folder / "l.db") as sql:
            [(busy, *_)] = sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            assert not busy
        sql.close()
        yield from (path.read_bytes() for path in folder.glob("l.db*"))
        return
    import psycopg

    with psycopg.connect(log.store.url) as connection:
        tables = "SELECT relname FROM pg_stat_user_tables"
        for (table,) in connection.execute(tables).fetchall():
            for (row,) in connection.execute(f"SELECT t::text FROM {table} t"):  # type: ignore[call-overload]
                yield row.encode()
