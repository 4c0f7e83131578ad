"""Given a log, when a person's content, id and keys are dropped, then all else reads on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.stored import rows_of
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.domain.commit import RepeatKey
from turnlog.domain.events import EventErased
from turnlog.encoding.dropping import dropped
from turnlog.errors import UnknownConversation
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import catch_up, forget
from turnlog.projections.view import Buffer
from turnlog.storage.copying import backup
from turnlog.storage.lookups import repeat_lookup
from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Row

TURNS = 6


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[turnlog.Turnlog]:
    """Anna's and Ben's conversations, all that is derived being level."""
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path / 'log.db'}"}.get(request.param)
    with turnlog.open(url or request.getfixturevalue("postgres_url")) as log:
        for turn in range(TURNS):
            for name in ("anna", "ben"):
                said = UserUttered(f"{name} says {turn}", message_id=f"{name}{turn}")
                log.record(name, said, SlotSet("n", turn))
                log.record(name, BotUttered(f"hello, {name}"))
        log.current.catch_up()
        catch_up(log.store, PROJECTIONS.values())
        yield log


def drop(log: turnlog.Turnlog, name: str) -> None:
    """Content, id, keys and all that is derived, the rows staying where they are."""
    rows = rows_of(log.store.reader, name)
    left = [(row, *dropped(row.commitments, row.parts, lambda place: True)) for row in rows]
    secret = log.store.genesis.secret
    keys = [
        repeat_lookup(secret, name, RepeatKey(f"{name}{turn}", is_message=True))
        for turn in range(TURNS)
    ]
    _forget(log.store, name)
    _DROPS[type(log.store).__name__](log.store, name, left, keys)


def _forget(store: Recorder, name: str) -> None:
    """Drop the entries of read models, also those of models that doors have registered."""
    with store.transaction() as transaction:
        for checkpoint in transaction.checkpoints():
            buffer = Buffer(transaction, checkpoint.model, transaction)
            forget(name, buffer)
            transaction.put(checkpoint.model, buffer.encoded())


Left = list[tuple[Row, bytes, bytes]]


def _drop_in_sql(execute: Callable[..., Any], prefix: str, name: Any, left: Left, keys: Any):
    stream = left[0][0].stream
    for row, commitments, parts in left:
        set_both = f"UPDATE {prefix}rows_t1 SET commitments = %s, parts = %s WHERE position = %s"
        execute(set_both, (commitments, parts, row.position))
    execute(f"UPDATE {prefix}streams SET name = NULL, lookup = NULL WHERE stream = %s", (stream,))
    execute(f"DELETE FROM {prefix}heads WHERE conversation = %s", (name,))
    execute(f"DELETE FROM {prefix}snapshots WHERE stream = %s", (stream,))
    for key in keys:
        execute(f"DELETE FROM {prefix}keys WHERE lookup = %s", (key,))


def _drop_in_sqlite(store: Recorder, name: str, left: Left, keys: list[bytes]) -> None:
    path = store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as sql, sql:
        _drop_in_sql(
            lambda text, given: sql.execute(text.replace("%s", "?"), given), "", name, left, keys
        )


def _drop_in_postgres(store: Any, name: str, left: Left, keys: list[bytes]) -> None:
    import psycopg

    with psycopg.connect(store.url, autocommit=True) as sql:
        _drop_in_sql(sql.execute, "turnlog_", name.encode(), left, keys)


def _drop_in_memory(store: Any, name: str, left: Left, keys: list[bytes]) -> None:
    assert isinstance(store, MemoryRecorder)
    tables = store._tables
    stream = left[0][0].stream
    for row, commitments, parts in left:
        new = row._replace(commitments=commitments, parts=parts, name=None)
        for table in (tables._log, tables._rows[stream]):
            table[table.index(row)] = new
    tables._streams[stream] = tables._streams[stream]._replace(name=None)
    del tables._lives[name], tables._heads[name]
    tables._snapshots.pop(stream, None)
    for key in keys:
        del tables._keys[key]


_DROPS = {
    "MemoryRecorder": _drop_in_memory,
    "SqliteRecorder": _drop_in_sqlite,
    "PostgresRecorder": _drop_in_postgres,
}


@pytest.fixture
def again(log: turnlog.Turnlog) -> turnlog.Turnlog:
    """The same log with Ben dropped, read by somebody who has not seen it before."""
    drop(log, "ben")
    return turnlog.Turnlog(log.store)


def test_the_rest_verifies(again: turnlog.Turnlog):
    assert verify(again.store).faults == []


def test_digests_positions_numbers_and_turns_are_unchanged(log: turnlog.Turnlog):
    before = [
        (row.position, row.version, row.digest(), row.commit().first_event, row.commit().first_turn)
        for row in log.store.reader.tail(0, 100)
    ]
    drop(log, "ben")
    after = [
        (row.position, row.version, row.digest(), row.commit().first_event, row.commit().first_turn)
        for row in log.store.reader.tail(0, 100)
    ]
    assert after == before


def test_an_erased_event_says_its_type_and_no_word_more(again: turnlog.Turnlog):
    erased = [row.commit() for row in again.store.reader.tail(0, 100) if row.name is None]
    assert [event for commit in erased for event in commit.events] == TURNS * [
        EventErased("UserUttered"), EventErased("SlotSet"), EventErased("BotUttered"),
    ]  # fmt: skip
    assert {commit.key for commit in erased} == {None}


def test_other_people_read_and_write_on(log: turnlog.Turnlog):
    before = log.conversation("anna").state
    drop(log, "ben")
    again = turnlog.Turnlog(log.store)
    assert again.conversation("anna").state == before
    assert again.history("anna").replay() == before
    assert not again.record("anna", UserUttered("once more", message_id="anna1")).new
    assert again.record("anna", UserUttered("and on")).new
    assert list(again.ids()) == ["anna"]
    assert "ben" not in again
    with pytest.raises(UnknownConversation):
        again.conversation("ben")
    assert verify(again.store).faults == []


def test_the_id_can_begin_again(again: turnlog.Turnlog):
    assert again.record("ben", UserUttered("hello", message_id="ben1")).new
    assert again.conversation("ben").turn == 1
    assert verify(again.store).faults == []


def test_what_is_derived_can_be_made_again(again: turnlog.Turnlog):
    rebuild(again.store)
    assert verify(again.store).faults == []
    assert [head.conversation for head in again.current.every(again.store.reader)] == ["anna"]


def test_a_copy_is_as_whole(again: turnlog.Turnlog, tmp_path: Path):
    backup(again.store, tmp_path / "copy.db")
    with turnlog.open(f"sqlite:///{tmp_path / 'copy.db'}", readonly=True) as copy:
        assert verify(copy.store).faults == []
        assert list(copy.ids()) == ["anna"]


def test_no_word_is_left(again: turnlog.Turnlog, tmp_path: Path):
    backup(again.store, tmp_path / "copy.db")
    assert b"ben" not in (tmp_path / "copy.db").read_bytes()
