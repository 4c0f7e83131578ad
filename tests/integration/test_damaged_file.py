"""A log whose SQLite file is damaged acknowledges nothing more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import UserUttered
from turnlog.engine.log import Turnlog
from turnlog.errors import Corrupt
from turnlog.storage import copying
from turnlog.storage.replacing import restore_over
from turnlog.storage.rows import Head

PAGE = 4096


def damage_heads(path: Path) -> None:
    """Overwrite the first leaf of the heads: the first conversations cannot be found any more."""
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'heads'"
        ).fetchone()[0]
    content = bytearray(path.read_bytes())
    first_cell = int.from_bytes(content[(root - 1) * PAGE + 12 : (root - 1) * PAGE + 14])
    start = (root - 1) * PAGE + first_cell
    leaf = int.from_bytes(content[start : start + 4])
    content[(leaf - 1) * PAGE : leaf * PAGE] = b"\xff" * PAGE
    path.write_bytes(content)


def test_after_damage_is_found_nothing_is_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        for number in range(200):
            log.record(f"c{number:03}", UserUttered("x" * 500))
    damage_heads(path)
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("c199", UserUttered("before it is noticed"))
        for conversation in ("c000", "c199", "new"):
            with pytest.raises(Corrupt):
                log.record(conversation, UserUttered("hello"))


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[Turnlog]:
    """An open log of 200 conversations, the first of which cannot be found any more."""
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        for number in range(200):
            log.record(f"c{number:03}", UserUttered("x" * 500))
    damage_heads(path)
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("c199", UserUttered("before it is noticed"))
        yield log


def scan(log: Turnlog) -> None:
    with log.store.scan() as scanned:
        list(scanned.every(Head))


def read_in_a_thread(log: Turnlog) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(log.conversation, "c000").result()


READERS: dict[str, Callable[[Turnlog], object]] = {
    "a read": lambda log: log.conversation("c000"),
    "a read of another thread": read_in_a_thread,
    "a scan": scan,
    "a list": lambda log: list(log.ids()),
}


@pytest.mark.parametrize("reader", READERS)
def test_damage_found_by_a_reader_ends_acknowledgements(damaged: Turnlog, reader: str) -> None:
    with pytest.raises(Corrupt):
        READERS[reader](damaged)
    with pytest.raises(Corrupt, match="the log accepts no more events"):
        damaged.record("c199", UserUttered("hello"))


def test_a_flipped_bit_in_the_schema_is_corruption_at_every_opening(tmp_path: Path) -> None:
    """SQLite quotes the name of a column that no longer exists, and is not UTF-8."""
    path, backup = tmp_path / "log.db", tmp_path / "copy.backup"
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("alice", UserUttered("hello"))
        copying.backup(log.store, backup)
    content = path.read_bytes()
    assert content.count(b"ON streams (lookup") == 1
    path.write_bytes(content.replace(b"ON streams (lookup", b"ON streams (\xecookup"))
    for readonly in (False, True):
        with pytest.raises(Corrupt, match="the database is damaged"):
            turnlog.open(f"sqlite:///{path}", readonly=readonly)
    assert run("verify", "--db", f"sqlite:///{path}").status == 1
    assert restore_over(backup, path).commits == 1
    with turnlog.open(f"sqlite:///{path}") as log:
        assert log.conversation("alice").turn == 1
