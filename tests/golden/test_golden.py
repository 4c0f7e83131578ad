"""A log of every past format opens, verifies and has the same content as when it was made (12)."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from tests.golden.make import HERE, said
from turnlog import UserUttered

FILES = sorted(HERE.glob("*.db"))


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    copy = tmp_path / request.param.name
    shutil.copy(request.param, copy)
    return copy


def stored(path: Path) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT * FROM rows_t1 ORDER BY position").fetchall()
    connection.close()
    return rows


def test_there_are_golden_files() -> None:
    assert "t1" in [path.stem for path in FILES]


def test_a_golden_log_shows_the_same_conversations(golden: Path) -> None:
    with turnlog.open(f"sqlite:///{golden}") as log:
        found = said(log).splitlines()
    expected = (HERE / f"{golden.stem}.jsonl").read_bytes().splitlines()
    assert [json.loads(line) for line in found] == [json.loads(line) for line in expected]
    assert len(found) > 50


def test_a_golden_log_verifies_and_continues_without_losing_bytes(golden: Path) -> None:
    before = stored(golden)
    db = f"sqlite:///{golden}"
    assert run("verify", "--db", db)[0] == 0
    with turnlog.open(db) as log:
        log.record("alice", UserUttered("and on"))
    assert stored(golden)[: len(before)] == before
    assert run("rebuild", "--db", db)[0] == 0
    assert run("verify", "--db", db)[0] == 0
    assert stored(golden)[: len(before)] == before
