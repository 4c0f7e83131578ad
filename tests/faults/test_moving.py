"""Verifying and copying a log that others write between any two of their reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

import turnlog
from turnlog import SlotSet, Turnlog, UserUttered
from turnlog.audit.rebuilding import faults_of
from turnlog.audit.verify import _Checking, verify
from turnlog.projections import PROJECTIONS, catch_up_kept, live_head
from turnlog.projections.projection import catch_up
from turnlog.storage import copying, postgres_scan
from turnlog.storage.postgres_scan import PostgresScan
from turnlog.storage.postgres_tables import PostgresReader
from turnlog.storage.recorder import Recorder

NAMES = ("anna", "ben", "carl", "dora")


def fill(log: Turnlog) -> None:
    for turn in range(12):
        for name in NAMES:
            log.record(name, UserUttered(f"for {turn}", message_id=f"{name}{turn}"))
            log.record(name, SlotSet("people", turn))
    log.current.catch_up()
    catch_up(log.store, PROJECTIONS.values())


def happening(log: Turnlog) -> Iterator[None]:
    """One more change to a log, each time."""
    for step in count():
        name = NAMES[step % 3]
        log.record(name, UserUttered(f"later {step}"), SlotSet("people", -step), key=f"k{step}")
        if step % 5 == 3:
            log.record(f"new{step}", UserUttered("hello"), key="first")
        if step % 7 == 5 and NAMES[step % 4] in log:
            log.delete(NAMES[step % 4])
        if step % 3 == 1:
            log.current.catch_up()
        if step % 4 == 2:
            catch_up_kept(log.store)
        yield


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", 5)
    monkeypatch.setattr(postgres_scan, "PAGE_ROWS", 3)


def before_each_read(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Change the log before every statement of a reader of a whole PostgreSQL log."""

    def reads(self: PostgresScan, statement: LiteralString, parameters: Sequence[Any] = ()) -> Any:
        act()
        return PostgresReader._all(self, statement, parameters)

    monkeypatch.setattr(PostgresScan, "_all", reads)


@pytest.fixture
def moving(
    postgres_url: str, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Recorder, list[None]]]:
    """A log that is written to before each read of a scan; and the number of writes."""
    with turnlog.open(postgres_url) as other, turnlog.open(postgres_url) as log:
        fill(other)
        steps, done = happening(other), list[None]()
        before_each_read(monkeypatch, lambda: done.append(next(steps)))
        yield log.store, done
        monkeypatch.undo()
        assert verify(log.store).faults == []


def test_verifying_raises_no_alarm(moving: tuple[Recorder, list[None]]) -> None:
    store, done = moving
    assert verify(store).faults == []
    assert len(done) > 50


def test_verifying_some_conversations_raises_no_alarm(moving: tuple[Recorder, list[None]]) -> None:
    store, done = moving
    for _ in range(5):
        assert verify(store, NAMES).faults == []
    assert len(done) > 50


def test_no_head_is_taken_to_be_ahead(moving: tuple[Recorder, list[None]]) -> None:
    store, done = moving
    assert faults_of(store) == ([], [])
    assert len(done) > 100


def test_a_backup_is_whole(moving: tuple[Recorder, list[None]], tmp_path: Path) -> None:
    store, done = moving
    copied = copying.backup(store, tmp_path / "copy.db")
    assert len(done) > 20
    with turnlog.open(f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert verify(copy.store).faults == []
        rows = copy.store.reader.tail(0, 10**6)
        assert rows == store.reader.tail(0, copied.commits)
        keyed = [commit for row in rows if (commit := row.commit()).key == "first"]
        assert len(keyed) > 3
        for commit in keyed:
            again = copy.record(commit.conversation, UserUttered("hello"), key="first")
            assert not again.new
        copy.current.catch_up()
        catch_up(copy.store, PROJECTIONS.values())
        assert verify(copy.store).faults == []


def test_no_snapshot_is_held_while_a_log_is_verified(
    postgres_url: str, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The horizon of a long transaction keeps every dead row of the writers."""
    held = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_xmin IS NOT NULL"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    seen: list[int] = []
    with psycopg.connect(postgres_url, autocommit=True) as sql, turnlog.open(postgres_url) as log:
        fill(log)
        before_each_read(monkeypatch, lambda: seen.extend(*sql.execute(held).fetchall()))
        assert verify(log.store).ok
    assert len(seen) > 50
    assert set(seen) == {0}


def test_processes_that_look_later_raise_no_alarm(
    durable_url: str, small_pages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They share the work with a first one, which asked for the position of the derived tables."""
    with turnlog.open(durable_url) as log:
        fill(log)
        steps, shared = happening(log), _Checking._shares

        def later(self: _Checking, *arguments: Any) -> Any:
            for _ in range(30):
                next(steps)
            return shared(self, *arguments)

        monkeypatch.setattr(_Checking, "_shares", later)
        assert verify(log.store, jobs=2).faults == []


def test_a_rebuild_takes_no_new_life_for_rows_that_are_gone(durable_url: str) -> None:
    with turnlog.open(durable_url) as log:
        fill(log)
        log.delete("anna")
        log.record("anna", UserUttered("hello again"))
        assert faults_of(log.store) == ([], [])
