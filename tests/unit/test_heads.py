"""Heads while others write: never older than the rows seen, for a tail of any life."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import UserUttered
from turnlog.audit.verify import verify
from turnlog.projections import tail
from turnlog.projections.following import Following
from turnlog.storage.links import CheckedRows, Link
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import Body, Head


def test_a_row_that_another_thread_folds_meanwhile_is_seen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        ours.record("alice", UserUttered("one"))
        others.record("alice", UserUttered("two"))
        heads, reader = ours.current, ours.store.reader
        heads.refresh(reader)

        class Folded(dict[str, Any]):
            """Another thread folds the tail first, each time."""

            def __contains__(self, name: object) -> bool:
                heads.tail.pending = dict(self)
                heads._folded(reader, ["alice"], {})
                return name in heads.tail.pending

        heads.tail.pending = Folded(heads.tail.pending)
        assert heads.known(reader, ["alice"])["alice"].version == 2


def test_a_tail_of_a_life_before_that_of_the_table_is_seen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        others.record("alice", UserUttered("one"))
        others.current.catch_up()
        ours.current.refresh(ours.store.reader)
        others.record("alice", UserUttered("two"))
        ours.current.refresh(ours.store.reader)
        others.delete("alice")
        others.record("alice", UserUttered("again"))
        others.current.catch_up()
        head = ours.current.known(ours.store.reader, ["alice"])["alice"]
        assert (head.life, head.version) == (2, 1)


def test_a_key_read_right_after_catching_up_stays_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes between the commit of the tables and the clearing of the memory."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        ours.record("alice", UserUttered("one"))
        transaction = ours.store.transaction

        @contextmanager
        def then_another() -> Iterator[Transaction]:
            with transaction() as held:
                yield held
            others.record("alice", UserUttered("two"), key="k")
            ours.current.head(ours.store.reader, "alice")  # as a reading thread does

        with monkeypatch.context() as patch:
            patch.setattr(ours.store, "transaction", then_another)
            ours.current.catch_up()
        assert not ours.record("alice", UserUttered("two"), key="k").new
        assert len([*ours.conversation("alice").events()]) == 2


def test_a_head_read_before_the_memory_was_cleared_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread reads the table of heads; others catch up, and another thread follows them."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        others.record("alice", UserUttered("one"))
        others.current.catch_up()
        heads, reader = ours.current, ours.store.reader
        heads.refresh(reader)
        heads_of = type(reader).heads_of

        def then_others(self: Any, conversations: Sequence[str]) -> Sequence[Head]:
            found = heads_of(self, conversations)
            patch.undo()
            others.record("alice", UserUttered("two"))
            others.current.catch_up()
            heads._follow_tables(reader)
            return found

        with monkeypatch.context() as patch:
            patch.setattr(type(reader), "heads_of", then_others)
            heads.known(reader, ["alice"])
        head = heads.head(reader, "alice")
        assert head is not None
        assert head.version == 2


def test_a_key_stays_known_although_the_checkpoint_moves_while_its_row_is_folded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer folds the tail that another process left; a thread follows the tables meanwhile."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        ours.record("z", UserUttered("no one is believed"))
        others.record("other", UserUttered("one"))
        others.current.catch_up()
        others.record("alice", UserUttered("two"), key="k")
        heads = ours.current
        take, moves = Following.take, [heads._follow_tables]

        def moved_once(self: Any, *given: Any) -> None:
            take(self, *given)
            while moves:
                moves.pop()(ours.store.reader)

        monkeypatch.setattr(Following, "take", moved_once)
        assert not ours.record("alice", UserUttered("two"), key="k").new
        assert moves == []


def test_heads_below_the_bound_are_all_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "KEPT_HEADS", 10)
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}") as log:
        names = [f"c{number}" for number in range(8)]
        for name in names:
            log.record(name, UserUttered("one"))
        log.current.catch_up()
        assert all(log.current.kept(names).values())


def test_a_process_that_only_reads_keeps_no_more_rows_than_the_tables_are_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BEHIND_ROWS", 10)
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        heads, reader = ours.current, ours.store.reader
        for number in range(300):
            others.record(f"c{number % 150}", UserUttered("one"))
            assert heads.head(reader, "c0") is not None
        assert sum(map(len, heads.tail.pending.values())) <= 50
        assert {head.conversation: head.version for head in heads.every(reader)} == {
            f"c{number}": 2 for number in range(150)
        }


def test_a_head_that_a_thread_read_before_the_writer_noted_its_own_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes between a commit and the writer's note of it."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        ours.record("alice", UserUttered("one"))
        written = ours.current.tail.written

        def late(*noted: Any) -> None:
            monkeypatch.undo()
            others.record("alice", UserUttered("three"))
            assert ours.conversation("alice").turn == 3
            written(*noted)

        monkeypatch.setattr(ours.current.tail, "written", late)
        ours.record("alice", UserUttered("two"))
        assert ours.conversation("alice").turn == 3
        assert ours.record("alice", UserUttered("four")).state.turn == 4
        ours.record("bob", UserUttered("one"))
        ours.current.catch_up()
        assert verify(ours.store).faults == []


def test_a_released_head_is_forgotten_once_the_table_has_it(tmp_path: Path) -> None:
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}") as log:
        log.record("alice", UserUttered("one"))
        log.current.catch_up()
        stored = log.head("alice")[0]
        log.record("bob", UserUttered("one"))
        log.current.release(stored)
        log.current.release(ahead := log.head("bob")[0])
        assert log.current.kept(["alice", "bob"]) == {"alice": None, "bob": ahead}
        assert log.head("alice")[0] == stored


def test_released_rows_are_checked_again() -> None:
    checked, rows = CheckedRows(), [Body(7, 1, "topic", b"previous", b"", b"", b"")]
    begin, middle, end = Link(0, b"genesis"), Link(1, b"first"), Link(2, b"second")
    for owner in (b"alice", b"bob"):
        checked.keep(owner, begin, rows, middle)
        checked.keep(owner, middle, rows, end)
    assert checked.end(b"alice", Link(0, b"another past"), rows) is None
    checked.release(b"alice")
    assert [checked.end(b"alice", at, rows) for at in (begin, middle)] == [None, None]
    assert [checked.end(b"bob", at, rows) for at in (begin, middle)] == [middle, end]
