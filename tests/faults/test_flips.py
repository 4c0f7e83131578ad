"""Every flipped bit that changes the content of a row is found; a log in use raises no alarm.

The bits of a SQLite file are flipped in tests/unit/test_verify.py, those of its -wal in
tests/faults/test_high_water.py.
"""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.faults.conftest import LONG, Start
from turnlog import BotUttered, SlotSet, UserUtteranceReverted, UserUttered
from turnlog.audit.verify import verify
from turnlog.errors import StorageError
from turnlog.projections import PROJECTIONS, live_head
from turnlog.projections.projection import catch_up
from turnlog.storage import copying
from turnlog.storage.urls import recorder

FLIPS = 500 if LONG else 40
LOOKS = 20 if LONG else 6
WRITERS = 4
TABLES = ("rows_t1", "streams", "keys", "heads", "snapshots", "checkpoints", "models", "format")


def fill(log: turnlog.Turnlog) -> None:
    for turn in range(8):
        for name in ("anna", "ben", "carl"):
            log.record(name, UserUttered(f"for {turn}", message_id=f"{name}{turn}"))
            log.record(name, SlotSet("people", turn), BotUttered("noted"))
    log.record("anna", UserUtteranceReverted())
    log.delete("carl")
    log.current.catch_up()
    catch_up(log.store, PROJECTIONS.values())


def is_found(url: str) -> bool:
    try:
        store = recorder(url)
    except StorageError:  # the beginning of the log was changed
        return True
    try:
        return not verify(store).ok
    finally:
        store.close()


def flipped(value: Any, chance: random.Random) -> Any:
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(40))
    data = bytearray(value)
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def test_each_flipped_bit_of_a_postgres_row_is_found(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
):
    import psycopg

    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", 5)
    with turnlog.open(postgres_url) as log:
        fill(log)
    assert not is_found(postgres_url)
    chance = random.Random(12)
    missed = []
    with psycopg.connect(postgres_url, autocommit=True) as sql:
        done = 0
        while done < FLIPS:
            table = f"turnlog_{chance.choice(TABLES)}"
            found = sql.execute(f"SELECT ctid, * FROM {table} ORDER BY ctid")  # type: ignore[arg-type]
            names = [column.name for column in found.description or ()]
            place, *row = chance.choice(found.fetchall())
            index = chance.randrange(len(row))
            if row[index] in (None, b""):
                continue
            value = flipped(row[index], chance)
            column = names[index + 1]
            change: Any = f"UPDATE {table} SET {column} = %s WHERE ctid = %s RETURNING ctid"
            try:
                moved = sql.execute(change, (value, place)).fetchone()
            except psycopg.Error:  # refused by the database itself
                continue
            done += 1
            if not is_found(postgres_url):
                missed.append((table, column, row[index], value))
            assert moved is not None
            sql.execute(change, (row[index], moved[0]))
    assert missed == []
    assert not is_found(postgres_url)
    print(f"\n{done} bits flipped in PostgreSQL's rows, {len(missed)} missed")


def test_a_log_that_four_processes_write_raises_no_alarm(
    durable_url: str, tmp_path: Path, start: Start
):
    """A backup of it raises none either; by one process or two, while the tables are often
    updated.
    """
    with turnlog.open(durable_url) as log:
        log.record("first", UserUttered("hello"))
        writers = [start("crash", durable_url, f"run{number}", 2, 20) for number in range(WRITERS)]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline()  # it writes
        seen = [verify(log.store, jobs=1 + look % 2) for look in range(LOOKS)]
        for look in range(LOOKS):
            copying.backup(log.store, path := tmp_path / f"{look}.backup")
            with copying.opened(path) as copy:
                seen.append(verify(copy))
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        seen.append(verify(log.store))
    assert [fault for each in seen for fault in each.faults] == []
    assert seen[-1].events > 1
    print(f"\n{len(seen)} verifications while {WRITERS} processes wrote, no alarm")
