"""Given a log, when any cell of any table holds anything, then it is reported and never raised."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import turnlog
from turnlog import BotUttered, SlotSet, UserUtteranceReverted, UserUttered, ValueSet
from turnlog.audit.verify import verify
from turnlog.engine.query import matching
from turnlog.errors import Corrupt, TurnlogError
from turnlog.projections import PROJECTIONS, live_head
from turnlog.projections.projection import catch_up, rebuild
from turnlog.projections.session_values import session_values
from turnlog.projections.slot_history import changes
from turnlog.projections.transcript import messages
from turnlog.storage.checkpoints import close_over
from turnlog.storage.rows import Checkpoint
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.subscription import Subscription
from turnlog.training.plan import ExportPlan
from turnlog.training.select import selected

COLUMNS = {
    "rows_t1": (
        "position", "stream", "version", "topic", "previous", "skeleton", "commitments", "parts",
    ),
    "streams": ("stream", "life", "owner", "name", "lookup"),
    "keys": ("lookup", "position"),
    "heads": (
        "conversation", "stream", "owner", "version", "position", "digest", "event", "turn",
        "snapshot", "state",
    ),
    "snapshots": ("stream", "version", "event", "turn", "digest", "state", "previous"),
    "checkpoints": ("model", "position", "digest"),
    "models": ("model", "conversation", "key", "value"),
}  # fmt: skip
CELLS = [(table, column) for table, columns in COLUMNS.items() for column in columns]
VALUES = (
    "NULL", "7001", "-1", "9223372036854775807", "1.5", "9e999", "'seven'", "''", "X''", "X'00'",
    "CAST(X'C328' AS TEXT)", "X'93C0C0'", "X'DC'", "X'A2C328'", "zeroblob(9)",
    "X'80'", "X'90'",
)  # fmt: skip
"""One of each type and more: text that is not UTF-8, broken msgpack.

The last two are an empty map and an empty list.
"""
ROWS = {"models": (0, 1, 4, 11, 19, 31)}
"""Which rows of a table are changed: for models, one of each kind of entry; else ROWS_OF_OTHERS."""
ROWS_OF_OTHERS = (0, 2)


def fill(log: turnlog.Turnlog) -> None:
    for turn in range(6):
        for name in ("anna", "ben", "carl"):
            log.record(name, UserUttered(f"for {turn}", message_id=f"m{turn}"))
            log.record(name, SlotSet("people", turn), BotUttered("noted"), ValueSet("k", turn))
    log.record("anna", UserUtteranceReverted())
    log.delete("carl")
    catch_up(log.store, PROJECTIONS.values())
    with log.store.transaction() as transaction:
        transaction.put_checkpoint(Checkpoint("another application", 12, None))
        close_over(transaction)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A log as bytes, in whose tables every cell takes every type."""
    path = tmp_path_factory.mktemp("cells") / "log.db"
    with patch.object(live_head, "SNAPSHOT_EVERY", 5), turnlog.open(f"sqlite:///{path}") as log:
        fill(log)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'"
        )
        connection.execute("PRAGMA writable_schema = RESET")
    return path.read_bytes()


def with_cell(whole: bytes, path: Path, cell: tuple[str, str], value: str, row: int) -> bool:
    """False if SQLite does not take the value in that row of the table."""
    table, column = cell
    keys = {"rows_t1": "position", "heads": "conversation", "streams": "stream"}.get(table, "1")
    for left in path.parent.glob(f"{path.name}-*"):
        left.unlink()
    path.write_bytes(whole)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        if keys == "1":
            keys = ", ".join(
                COLUMNS[table][: {"snapshots": 2, "checkpoints": 1, "models": 3, "keys": 1}[table]]
            )
        place = f"SELECT {keys} FROM {table} ORDER BY {keys} LIMIT 1 OFFSET {row}"
        with suppress(sqlite3.IntegrityError):
            new = f"{column} = {value} WHERE {column} IS NOT {value}"
            statement = f"UPDATE {table} SET {new} AND ({keys}) = ({place})"
            changed = connection.execute(statement).rowcount
            connection.commit()
            return changed == 1
    return False


def faults(path: Path) -> list[str]:
    try:
        recorder = SqliteRecorder(str(path), synchronous="OFF")
    except Corrupt as error:  # the beginning of the log was changed
        return [str(error)]
    try:
        return [fault.what for fault in verify(recorder).faults]
    finally:
        recorder.close()


@pytest.mark.parametrize("cell", CELLS, ids=".".join)
def test_verify_reports_every_value_of_a_cell(whole: bytes, tmp_path: Path, cell: tuple[str, str]):
    path = tmp_path / "log.db"
    path.write_bytes(whole)
    schema = faults(path)
    tried = 0
    for value in VALUES:
        for row in ROWS.get(cell[0], ROWS_OF_OTHERS):
            if with_cell(whole, path, cell, value, row):
                tried += 1
                assert faults(path) != schema, (cell, value, row)
    assert tried > 2, cell


READINGS: dict[str, Callable[[turnlog.Turnlog, str], Any]] = {
    "heads": lambda log, id: list(log.heads()),
    "state": lambda log, id: log.conversation(id).slots,
    "events": lambda log, id: log.read_events(id),
    "turn": lambda log, id: log.conversation(id, turn=3),
    "time": lambda log, id: log.conversation(id, time=2e9),
    "recorded": lambda log, id: [r.as_dict() for r in log.read_recorded(id)],
    "dialogue": lambda log, id: log.conversation(id).dialogue(turns=2),
    "newest": lambda log, id: list(log.history(id).newest_first()),
    "replay": lambda log, id: log.history(id).replay(),
    "commits": lambda log, id: list(log.history(id).commits()),
    "version": lambda log, id: log.conversation(id, version=4),
    "keyed": lambda log, id: log.keyed(id, "m3"),
    "follow": lambda log, id: log.next_commits(Subscription(log.store)),
    "export": lambda log, id: list(
        selected(log, ExportPlan("jsonl", log.store.reader.last_position()))
    ),
    "search": lambda log, id: list(matching(log, search="noted")),
    "slots": lambda log, id: list(changes(log.view("slots"), id)),
    "transcript": lambda log, id: list(messages(log.view("transcript"), id)),
    "values": lambda log, id: session_values(log.store.reader, id),
    "tail": lambda log, id: [row.commit() for row in log.store.reader.tail(0, 100)],
    "again": lambda log, id: log.record(id, UserUttered("hi", message_id="m3")),
    "rewind": lambda log, id: log.record(id, UserUtteranceReverted()),
    "record": lambda log, id: log.record(id, UserUttered("and one more")),
    "rebuild": lambda log, id: [rebuild(log.store, p) for p in PROJECTIONS.values()],
}


@pytest.mark.parametrize("cell", CELLS, ids=".".join)
def test_no_value_of_a_cell_leaks_a_bare_error(whole: bytes, tmp_path: Path, cell: tuple[str, str]):
    path = tmp_path / "log.db"
    for value in VALUES:
        for row in ROWS.get(cell[0], ROWS_OF_OTHERS):
            if with_cell(whole, path, cell, value, row):
                with suppress(Corrupt), turnlog.open(f"sqlite:///{path}?synchronous=OFF") as log:
                    assert failures(log) == {}, (cell, value, row)


def failures(log: turnlog.Turnlog) -> dict[str, Exception]:
    """The exceptions of each reading that are not our own errors."""
    found: dict[str, Exception] = {}
    for name, reading in READINGS.items():
        try:
            reading(log, "anna")
        except TurnlogError:
            pass
        except Exception as error:
            found[name] = error
    return found


TEXTS = [
    cell
    for cell in CELLS
    if cell[1] in ("conversation", "topic", "name", "model") or cell == ("models", "key")
]


def test_text_that_is_not_utf8_is_reported_in_postgresql(postgres_url: str):
    import psycopg

    with patch.object(live_head, "SNAPSHOT_EVERY", 5), turnlog.open(postgres_url) as log:
        fill(log)
    with psycopg.connect(postgres_url, autocommit=True) as sql:
        for table, column in TEXTS:
            set_one: Any = f"UPDATE turnlog_{table} SET {column} = %b WHERE {column} = %b"
            found = sql.execute(
                f"SELECT {column} FROM turnlog_{table} WHERE {column} > ''"
            ).fetchone()
            assert found is not None
            wrong = b"\xc3\x28" + found[0]
            sql.execute(set_one, (wrong, found[0]))
            with suppress(Corrupt), turnlog.open(postgres_url, readonly=True) as log:
                assert verify(log.store).faults, (table, column)
                assert failures(log) == {}, (table, column)
            sql.execute(set_one, (found[0], wrong))
