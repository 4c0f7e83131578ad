"""A follower gets every commit, or an error if the log is not the one that it read before."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

import turnlog
from turnlog import UserUttered
from turnlog.dialogs.timers import RepeatingDialog, Timers
from turnlog.errors import AnotherPast, Corrupt, OutOfRange
from turnlog.sessions.store import Store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of five commits."""
    with turnlog.open(f"sqlite:///{tmp_path / 'chat.db'}") as log:
        for number in range(1, 6):
            log.record("alice", UserUttered(f"{number}"))
    return tmp_path / "chat.db"


@pytest.fixture
def log(path: Path) -> Iterator[turnlog.Turnlog]:
    with turnlog.open(f"sqlite:///{path}") as log:
        yield log


def lose(path: Path, after: int) -> None:
    """The effect of a power cut or a restored backup."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"DELETE FROM rows_t1 WHERE position > {after}")
        connection.execute("DELETE FROM heads")
        connection.execute("DELETE FROM checkpoints")


@pytest.mark.parametrize("after", [6, 10, 2**60, -1])
def test_a_follower_at_the_end_gets_nothing(log: turnlog.Turnlog, after: int) -> None:
    with pytest.raises(
        OutOfRange, match=f"the log: position {after} does not exist; the last is 5"
    ):
        log.follow(after=after)


def test_a_follower_continues_from_its_position_and_digest(log: turnlog.Turnlog) -> None:
    digest = log.digest(3)
    assert [position for position, _ in islice(log.follow(3, digest), 2)] == [4, 5]
    assert next(log.follow(0, log.digest(0)))[0] == 1
    following = log.follow()
    log.record("bob", UserUttered("6"))
    assert next(log.follow(5))[0] == next(following)[0] == 6


@pytest.mark.parametrize("position", [6, -1])
def test_an_unknown_position_has_no_digest(log: turnlog.Turnlog, position: int) -> None:
    with pytest.raises(OutOfRange, match=f"position {position} does not exist"):
        log.digest(position)


def test_a_follower_of_another_log_gets_the_position_where_they_differ(
    log: turnlog.Turnlog, tmp_path: Path
) -> None:
    digest, name = log.digest(3), log.digest(0)
    with turnlog.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        for number in range(1, 6):
            other.record("alice", UserUttered(f"{number}"))
        with pytest.raises(AnotherPast, match="at position 3") as raised:
            other.follow(3, digest)
        assert raised.value.position == 3
        with pytest.raises(AnotherPast, match="at position 0"):
            other.follow(0, name)


def test_a_digest_needs_its_position(log: turnlog.Turnlog) -> None:
    with pytest.raises(OutOfRange, match="position"):
        log.follow(digest=b"x" * 32)


def test_an_asynchronous_follower_gets_the_same_errors(path: Path) -> None:
    async def scenario() -> None:
        async with turnlog.aopen(f"sqlite:///{path}") as log:
            with pytest.raises(OutOfRange, match="position 10 does not exist"):
                await anext(log.follow(after=10))
            digest = await log.digest(3)
            assert (await anext(log.follow(3, digest)))[0] == 4
            with pytest.raises(AnotherPast, match="at position 4"):
                await anext(log.follow(4, digest))

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_rows_lost_while_a_follower_reads_are_not_skipped(log: turnlog.Turnlog, path: Path) -> None:
    following = log.follow(0)
    assert len(list(islice(following, 5))) == 5
    lose(path, 2)
    with pytest.raises(OutOfRange, match="position 5 does not exist; the last is 2"):
        next(following)


def test_a_log_that_lost_rows_and_grew_again_has_another_past(
    log: turnlog.Turnlog, path: Path
) -> None:
    following = log.follow(0)
    list(islice(following, 5))
    lose(path, 2)
    with turnlog.open(f"sqlite:///{path}") as again:
        for number in range(4):
            again.record("bob", UserUttered(f"other {number}"))
    with pytest.raises(AnotherPast, match="at position 5"):
        next(following)


def test_a_session_store_does_not_skip_lost_rows(log: turnlog.Turnlog, path: Path) -> None:
    store = Store(log)
    store.values("alice")
    lose(path, 2)
    store._fresh_until = 0
    with pytest.raises(OutOfRange, match="position 5 does not exist"):
        store.values("alice")


def test_timers_do_not_skip_lost_rows(path: Path) -> None:
    async def scenario() -> None:
        async with turnlog.aopen(f"sqlite:///{path}") as log:
            timers = Timers(log, RepeatingDialog())
            await timers.fire_due()
            lose(path, 2)
            with pytest.raises(OutOfRange, match="position 5 does not exist"):
                await timers.fire_due()

    asyncio.run(asyncio.wait_for(scenario(), 20))


def test_heads_that_include_lost_rows_refuse_reads_and_writes(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM rows_t1 WHERE position > 2")
    with turnlog.open(f"sqlite:///{path}") as log:
        with pytest.raises(Corrupt, match="position 5, which the heads include"):
            log.conversation("alice")
        with pytest.raises(Corrupt, match="position 5, which the heads include"):
            log.record("bob", UserUttered("hello"))
        assert log.store.reader.last_position() == 2
