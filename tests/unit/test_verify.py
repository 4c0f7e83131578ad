"""Given a log, when a row is changed, then verify names what and where."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import BotUttered, SlotSet, UserUtteranceReverted, UserUttered, ValueSet
from turnlog.audit.verify import Verification, verify
from turnlog.encoding.dropping import dropped
from turnlog.engine.eventsourcing import track
from turnlog.errors import Corrupt, StorageError, UnknownConversation
from turnlog.projections import PROJECTIONS, live_head
from turnlog.projections.projection import catch_up
from turnlog.storage.checkpoints import close_over
from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.rows import Checkpoint
from turnlog.storage.sqlite import SqliteRecorder

Change = Callable[[sqlite3.Connection, random.Random], Any]
CHANGES = 2000 if os.environ.get("TURNLOG_FAULTS") == "long" else 200
TABLES = {
    "rows_t1": ["position"],
    "streams": ["stream"],
    "secrets": ["secret"],
    "keys": ["lookup"],
    "heads": ["conversation"],
    "snapshots": ["stream", "version"],
    "checkpoints": ["model"],
    "models": ["model", "conversation", "key"],
}


def fill(log: turnlog.Turnlog, project_at: int = 0) -> None:
    """Six conversations, one long enough for three snapshots; projected up to that turn."""
    for turn in range(200):
        for name in ["long", *(["anna", "béa", "c", "d"] if turn < 8 else [])]:
            log.record(name, UserUttered(f"for {turn}", message_id=f"{name}{turn}"))
            log.record(name, SlotSet("people", turn), BotUttered("noted"), ValueSet("k", turn))
        if turn == project_at:
            catch_up(log.store, PROJECTIONS.values())
    log.record("anna", UserUtteranceReverted())
    log.delete("d")


@pytest.fixture(scope="module", params=["all is projected", "projections lag"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An untouched database, as bytes."""
    path = tmp_path_factory.mktemp("verify") / "log.db"
    with turnlog.open(
        f"sqlite:///{path}?synchronous=OFF", clock=iter(range(10**9)).__next__
    ) as log:
        fill(log, project_at=5)
        with log.store.transaction() as transaction:
            transaction.put_checkpoint(Checkpoint("another application", 12, None))
            close_over(transaction)
        if request.param == "all is projected":
            catch_up(log.store, PROJECTIONS.values())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # one file, as a backup
    return path.read_bytes()


def verified(path: Path) -> Verification:
    try:
        recorder = SqliteRecorder(str(path))
    except Corrupt:  # the beginning of the log was changed
        return Verification(ok=False)
    try:
        return verify(recorder)
    finally:
        recorder.close()


def test_an_untouched_log_has_no_fault(whole: bytes, tmp_path: Path):
    path = tmp_path / "log.db"
    path.write_bytes(whole)
    found = verified(path)
    assert found.faults == []
    assert (found.ok, found.conversations) == (True, 5)
    assert found.events == 200 * 4 + 4 * 8 * 4 + 2


@pytest.mark.parametrize("seed", range(4))
def test_every_change_of_one_row_is_found(whole: bytes, tmp_path: Path, seed: int):
    chance = random.Random(seed)
    missed = []
    for number in range(CHANGES // 8):
        path = tmp_path / f"{number}.db"
        path.write_bytes(whole)
        done = change(path, chance)
        if verified(path).ok:
            missed.append(done)
    assert missed == []


def change(path: Path, chance: random.Random) -> str:
    """Change one row at random. Returns a description of the change."""
    with closing(sqlite3.connect(path)) as connection:
        while True:
            table = chance.choice(list(TABLES))
            kind = chance.choice([byte_changed, removed, swapped, inserted])
            try:
                done = kind(connection, table, chance)
            except sqlite3.IntegrityError:  # the database itself refuses it
                connection.rollback()
                continue
            if done:
                connection.commit()
                return f"{table}: {done}"


def rows(connection: sqlite3.Connection, table: str) -> tuple[list[str], list[Any]]:
    found = connection.execute(f"SELECT * FROM {table}")
    return [column[0] for column in found.description], found.fetchall()


def where(table: str, names: list[str], row: Any) -> tuple[str, list[Any]]:
    keys = TABLES[table]
    return " AND ".join(f"{key} = ?" for key in keys), [row[names.index(key)] for key in keys]


def byte_changed(connection: sqlite3.Connection, table: str, chance: random.Random) -> str:
    names, found = rows(connection, table)
    row, column = chance.choice(found), chance.randrange(len(names))
    value = changed(row[column], chance)
    clause, parameters = where(table, names, row)
    statement = f"UPDATE {table} SET {names[column]} = {value[0]} WHERE {clause}"
    connection.execute(statement, [value[1], *parameters])
    return f"{names[column]} of {parameters} from {row[column]!r:.80} to {value[1]!r:.80}"


def changed(value: Any, chance: random.Random) -> tuple[str, Any]:
    """An SQL expression and its parameter: the value with one byte, or one bit, changed."""
    if value is None:
        return "?", "a"
    if isinstance(value, int):
        return "?", value ^ (1 << chance.randrange(12))
    data = bytearray(value.encode() if isinstance(value, str) else value) or bytearray(b"\0")
    data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    return ("CAST(? AS TEXT)" if isinstance(value, str) else "?"), bytes(data)


def removed(connection: sqlite3.Connection, table: str, chance: random.Random) -> str:
    names, found = rows(connection, table)
    clause, parameters = where(table, names, chance.choice(found))
    connection.execute(f"DELETE FROM {table} WHERE {clause}", parameters)
    return f"removed {parameters}"


def swapped(connection: sqlite3.Connection, table: str, chance: random.Random) -> str | None:
    """Two rows exchange a column that is not a key."""
    names, found = rows(connection, table)
    if len(found) < 2:
        return None
    one, other = chance.sample(found, 2)
    columns = [name for name in names if name not in TABLES[table]]
    if [one[names.index(c)] for c in columns] == [other[names.index(c)] for c in columns]:
        return None
    clause, keys = where(table, names, one)
    _, other_keys = where(table, names, other)
    placed = {**dict(zip(names, one, strict=True))}
    connection.execute(f"DELETE FROM {table} WHERE {clause}", keys)
    setting = ", ".join(f"{name} = ?" for name in columns)
    connection.execute(
        f"UPDATE {table} SET {setting} WHERE {clause}",
        [*(placed[name] for name in columns), *other_keys],
    )
    placed |= {name: other[names.index(name)] for name in columns}
    marks = ", ".join("?" * len(names))
    connection.execute(f"INSERT INTO {table} VALUES ({marks})", [placed[n] for n in names])
    return f"swapped {keys} and {other_keys}"


def inserted(connection: sqlite3.Connection, table: str, chance: random.Random) -> str:
    """A copy of a row under a new key."""
    names, found = rows(connection, table)
    row = dict(zip(names, chance.choice(found), strict=True))
    if table == "rows_t1":
        row["position"] = max(r[0] for r in found) + 1
        row["version"] += chance.choice([1000, 1])
    else:
        key = chance.choice(TABLES[table])
        more = {int: 1, str: "x", bytes: b"x"}
        row[key] = row[key] + more[type(row[key])]
    if table == "streams":
        row["lookup"] = None
    connection.execute(
        f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", list(row.values())
    )
    return f"inserted {[row[key] for key in TABLES[table]]}"


# --- what it says ---------------------------------------------------------------------------------


@pytest.fixture
def path(whole: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    path.write_bytes(whole)
    return path


OF_ANNA = "stream = (SELECT stream FROM heads WHERE conversation = 'anna')"


def run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_a_fault_names_conversation_and_event(path: Path):
    run(path, "UPDATE rows_t1 SET parts = replace(parts, 'for 3', 'for 4')"
        f" WHERE {OF_ANNA} AND version = 7")  # fmt: skip
    (fault, *_) = verified(path).faults
    assert (fault.conversation, fault.event) == ("anna", 13)
    assert "version 8 does not follow from the row before it" in fault.what


def test_a_cut_tail_is_found_because_heads_are_ahead(path: Path):
    run(path, "DELETE FROM rows_t1 WHERE position = (SELECT max(position) FROM rows_t1)")
    faults = verified(path).faults
    assert {fault.conversation for fault in faults} >= {"d"}
    assert any("rows were cut off" in fault.what for fault in faults)


def test_a_removed_conversation_is_found_by_its_projections(path: Path):
    of_c = OF_ANNA.replace("anna", "c")
    tables = ("rows_t1", "snapshots", "streams", "heads")
    run(path, *(f"DELETE FROM {table} WHERE {of_c}" for table in tables))
    assert not verified(path).ok


def test_unreadable_bytes_are_a_fault_and_not_an_error(path: Path):
    run(path, "UPDATE rows_t1 SET parts = x'ff00' WHERE version = 2")
    faults = verified(path).faults
    assert sum("cannot be read" in fault.what for fault in faults) == 5


def test_columns_of_another_type_are_a_fault_and_not_an_error(path: Path):
    run(
        path,
        "UPDATE rows_t1 SET topic = x'00', parts = 1.5 WHERE version = 3",
        "UPDATE heads SET state = 'no', event = 'x' WHERE conversation = 'c'",
        "UPDATE models SET value = 7 WHERE conversation = 'c'",
        "UPDATE snapshots SET state = 1, digest = 'x'",
        "UPDATE checkpoints SET digest = 'x', position = 'last' WHERE model = 'slots'",
    )
    assert not verified(path).ok


def test_a_foreign_table_or_trigger_is_found(path: Path):
    run(path, "CREATE TRIGGER t AFTER INSERT ON rows_t1 BEGIN DELETE FROM heads; END")
    (fault,) = verified(path).faults
    assert "t in the database's schema is not as turnlog made it" in fault.what


def test_a_wrong_index_is_found(path: Path):
    """A read through the index does not see the rows; SQLite's own check does."""
    take_apart = "UPDATE sqlite_master SET sql = replace(sql, 'IS NOT NULL', 'IS NULL')"
    run(path, "PRAGMA writable_schema = 1", f"{take_apart} WHERE name = 'streams_by_lookup'")
    faults = [fault.what for fault in verified(path).faults]
    assert "streams_by_lookup in the database's schema is not as turnlog made it" in faults
    assert any("streams_by_lookup" in what and "schema" not in what for what in faults)


def test_one_conversation_can_be_checked_alone(path: Path):
    run(path, "UPDATE heads SET turn = 9 WHERE conversation = 'c'")
    recorder = SqliteRecorder(str(path))
    assert verify(recorder, ["anna", "long"]).ok
    found = verify(recorder, ["c"])
    assert [(f.conversation, f.event) for f in found.faults] == [("c", 32)]
    with pytest.raises(UnknownConversation):
        verify(recorder, ["stranger"])
    recorder.close()


@pytest.mark.parametrize("damaged", [False, True])
def test_several_processes_find_the_same_in_the_same_order(path: Path, damaged: bool):
    if damaged:
        run(
            path,
            "UPDATE rows_t1 SET parts = x'ff00' WHERE version = 2",
            "UPDATE heads SET turn = 9 WHERE conversation = 'c'",
            "DELETE FROM keys WHERE position = 7",
            "DELETE FROM rows_t1 WHERE position = 9",
        )
    recorder = SqliteRecorder(str(path))
    one, two = verify(recorder), verify(recorder, jobs=2)
    recorder.close()
    assert two == one
    assert one.ok != damaged


def test_several_processes_check_a_log_on_postgres(postgres_url: str):
    with turnlog.open(postgres_url) as log:
        fill(log, 3)
        one, two = verify(log.store), verify(log.store, jobs=2)
        assert two == one
        assert one.ok


@pytest.fixture
def memory() -> Iterator[turnlog.Turnlog]:
    with turnlog.open("memory:") as log:
        fill(log, 3)
        yield log


def test_a_log_in_memory_is_checked_the_same_way(memory: turnlog.Turnlog):
    assert verify(memory.store).faults == []
    assert isinstance(memory.store, MemoryRecorder)
    with memory.store.transaction() as transaction:
        transaction.put_checkpoint(Checkpoint("slots", 3, b"x"))
    assert not verify(memory.store).ok


def test_a_log_on_postgres_is_checked_the_same_way(postgres_url: str):
    with turnlog.open(postgres_url) as log:
        fill(log, 3)
        assert verify(log.store).faults == []
        with log.store.transaction() as transaction:
            head = transaction.head("anna")
            assert head is not None
            transaction.put_heads([head._replace(turn=3)])
        (fault,) = verify(log.store).faults
        assert (fault.conversation, fault.event) == ("anna", 33)


def test_a_log_that_is_being_written_has_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", 5)
    stop = threading.Event()

    def write(log: turnlog.Turnlog) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            log.record(f"c{turn % 3}", UserUttered(str(turn)), SlotSet("a", turn))
            if turn % 7 == 0:
                catch_up(log.store, PROJECTIONS.values())

    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}?synchronous=OFF") as log:
        thread = threading.Thread(target=write, args=[log])
        thread.start()
        try:
            found = [verify(log.store) for _ in range(15)]
        finally:
            stop.set()
            thread.join()
    assert [each.faults for each in found] == [[]] * 15
    assert found[-1].events > found[0].events


def test_eventsourcings_own_tracking_is_not_a_fault(memory: turnlog.Turnlog):
    from eventsourcing.persistence import Tracking

    with memory.store.transaction() as transaction:
        track(transaction, Tracking("upstream", 7))
    assert verify(memory.store).faults == []


# --- bits that flip on disk -----------------------------------------------------------------------


def test_every_flipped_bit_that_changes_what_is_stored_is_found(whole: bytes, tmp_path: Path):
    """At any place in the file, readers get the old content or verify reports the change."""
    chance = random.Random(8)
    path = tmp_path / "log.db"
    path.write_bytes(whole)
    before = stored(path)
    missed = []
    for number in range(CHANGES // 8):
        data = bytearray(whole)
        bit = chance.randrange(len(data) * 8)
        data[bit // 8] ^= 1 << bit % 8
        path = tmp_path / f"{number}.db"
        path.write_bytes(data)
        changed = stored(path) != before
        try:
            found = not verified(path).ok
        except StorageError:  # it does not even open
            found = True
        if changed and not found:
            missed.append(bit)
    assert missed == []


def stored(path: Path) -> Any:
    """All rows of all tables, as bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = bytes
        try:
            return [
                connection.execute(f"SELECT * FROM {t} ORDER BY 1, 2").fetchall() for t in TABLES
            ]
        except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite names the unreadable cell
            return repr(error)


# --- outside the chain --------------------------------------------------------------------------

OF_C = OF_ANNA.replace("anna", "c")

OUTSIDE = {
    "a row whose stream is missing": [f"DELETE FROM streams WHERE {OF_ANNA}"],
    "a changed lookup": [f"UPDATE streams SET lookup = zeroblob(16) WHERE {OF_ANNA}"],
    "a dropped lookup": [f"UPDATE streams SET lookup = NULL WHERE {OF_ANNA}"],
    "a dropped name": [f"UPDATE streams SET name = NULL, lookup = NULL WHERE {OF_ANNA}"],
    "a changed name": [f"UPDATE streams SET name = x'92a0a4616e6e65' WHERE {OF_ANNA}"],
    "exchanged lookups": [
        "CREATE TABLE kept AS SELECT stream, lookup FROM streams",
        f"UPDATE streams SET lookup = NULL WHERE {OF_ANNA}",
        *(
            f"UPDATE streams SET lookup = (SELECT lookup FROM kept WHERE {other}) WHERE {one}"
            for one, other in ((OF_C, OF_ANNA), (OF_ANNA, OF_C))
        ),
        "DROP TABLE kept",
    ],
    "another table": ["CREATE TABLE more (one)"],
    "a trigger": ["CREATE TRIGGER t AFTER INSERT ON rows_t1 BEGIN DELETE FROM heads; END"],
}  # fmt: skip


@pytest.mark.parametrize("statements", OUTSIDE.values(), ids=OUTSIDE)
def test_a_change_outside_the_chain_is_found(path: Path, statements: list[str]):
    run(path, *statements)
    assert not verified(path).ok


def test_exchanged_lookups_are_named(path: Path):
    run(path, *OUTSIDE["exchanged lookups"])
    named = {f.conversation for f in verified(path).faults if f.what == "it is not found by its id"}
    assert named == {"anna", "c"}


def test_a_row_moved_before_the_log_begins_is_found(tmp_path: Path):
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("alice", UserUttered("one"))
        log.record("alice", UserUttered("two"))
    run(path, "UPDATE rows_t1 SET position = -3 WHERE position = 1")
    assert [fault.what for fault in verified(path).faults] == ["version 1 is at position -3"]


@pytest.mark.parametrize("change", ["version = 'x'", "version = 1.5", "topic = x'ff'"])
def test_a_newest_row_of_another_type_is_a_fault_and_not_an_error(tmp_path: Path, change: str):
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("alice", UserUttered("one"))
    run(path, f"UPDATE rows_t1 SET {change} WHERE position = 1")
    assert any("has the wrong type" in fault.what for fault in verified(path).faults)


def test_two_rows_of_a_conversation_that_exchanged_positions_are_found(path: Path):
    where = f"{OF_ANNA} AND version IN (3, 4)"
    with closing(sqlite3.connect(path)) as connection, connection:
        (one,), (other,) = connection.execute(
            f"SELECT position FROM rows_t1 WHERE {where} ORDER BY version"
        ).fetchall()
        for before, after in ((one, -1), (other, one), (-1, other)):
            connection.execute(
                "UPDATE rows_t1 SET position = ? WHERE position = ?", (after, before)
            )
    assert any("is at position" in fault.what for fault in verified(path).faults)


@pytest.mark.parametrize("changes", ["commitments", "parts"])
def test_a_dropped_part_whose_row_was_changed_is_found(path: Path, changes: str):
    """Stored commitments are compared with the chain and with the remaining content."""
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = f"SELECT position, commitments, parts FROM rows_t1 WHERE {OF_ANNA}"
        position, *stored = connection.execute(f"{columns} AND version = 4").fetchone()
        made = dict(
            zip(("commitments", "parts"), dropped(*stored, lambda place: place == 1), strict=True)
        )
        statement = "UPDATE rows_t1 SET commitments = :commitments, parts = :parts"
        connection.execute(f"{statement} WHERE position = {position}", made)
    faults = {fault.what for fault in verified(path).faults}
    assert not any("version 4" in what or "version 5" in what for what in faults)
    changed = bytearray(made[changes])
    changed[-1] ^= 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            f"UPDATE rows_t1 SET {changes} = ? WHERE position = {position}", (bytes(changed),)
        )
    assert {fault.what for fault in verified(path).faults} - faults
