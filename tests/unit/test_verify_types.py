"""Cells of another type read the same but no index finds them: `verify` names them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import MessageRedacted, SlotSet, UserUttered
from turnlog.audit.verify import verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        for number in range(300):
            said = UserUttered(f"{number}", message_id=f"m{number}")
            log.record("a", said, SlotSet("n", number))
        log.view("transcript")
        log.fork("a", turn=3, as_="b")
        log.record("a", MessageRedacted(1))
    return path


COLUMNS = [
    "keys.lookup", "heads.state", "heads.owner", "heads.digest", "models.value", "streams.owner",
    "streams.name", "streams.lookup", "snapshots.state", "snapshots.digest", "checkpoints.digest",
    "rows_t1.previous", "rows_t1.skeleton", "rows_t1.parts",
]  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_a_blob_that_became_a_text_is_named(path: Path, column: str) -> None:
    table, name = column.split(".")
    where = "WHERE position > 0" if table == "rows_t1" else ""  # the genesis row has its own fault
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {table} SET {name} = cast({name} AS text) {where}")
    ran = run("verify", "--db", f"sqlite:///{path}")
    assert ran.status == 1
    assert f"the column {name} not of its type" in ran.out
    assert "unexpected" not in ran.err


def test_a_text_that_became_a_blob_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        newest = "(SELECT max(position) FROM rows_t1)"
        connection.execute(
            f"UPDATE rows_t1 SET topic = cast(topic AS blob) WHERE position = {newest}"
        )
    ran = run("verify", "--db", f"sqlite:///{path}")
    assert ran.status == 1
    assert "a column has the wrong type" in ran.out
    assert "unexpected" not in ran.err


def test_an_untouched_log_has_no_such_cell(path: Path) -> None:
    with turnlog.open(f"sqlite:///{path}", readonly=True) as log:
        assert verify(log.store).faults == []
