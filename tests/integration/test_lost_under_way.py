"""A log that loses its newest rows under an open process accepts nothing on a wrong past."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from tests.unit.tables import Tables
from turnlog import BotUttered, UserUttered
from turnlog.audit.verify import verify
from turnlog.engine.log import Turnlog
from turnlog.errors import AnotherPast, StorageError
from turnlog.storage.copying import backup, opened

KEPT = 6


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def log(url: str) -> Iterator[Turnlog]:
    """Ten commits of Anna and Ben, of which the first six are in the tables of an older backup."""
    with turnlog.open(url) as log:
        for turn in range(KEPT // 2):
            log.record("anna", UserUttered(f"{turn}", message_id=f"a{turn}"))
            log.record("ben", UserUttered(f"{turn}", message_id=f"b{turn}"))
        log.current.catch_up()
        for turn in range(2):
            log.record("anna", BotUttered(f"again {turn}"), key=f"bot {turn}")
            log.record("new", UserUttered(f"hello {turn}", message_id=f"n{turn}"))
        yield log


def lose_tail(log: Turnlog) -> None:
    """As a server restored from an earlier backup."""
    tables = Tables(log.store)
    tables.run(
        "DELETE FROM {}streams WHERE stream NOT IN"
        f" (SELECT stream FROM {{}}rows_t1 WHERE position <= {KEPT})"
    )
    tables.run(f"DELETE FROM {{}}rows_t1 WHERE position > {KEPT}")
    tables.run(f"DELETE FROM {{}}keys WHERE position > {KEPT}")


def positions(log: Turnlog) -> list[int]:
    return [row.position for row in log.store.reader.tail(0, 100)]


@pytest.mark.parametrize("name", ["anna", "new"])
def test_a_commit_after_a_lost_row_is_refused(log: Turnlog, name: str):
    lose_tail(log)
    for _ in range(2):
        with pytest.raises(AnotherPast):
            log.record(name, BotUttered("and on"))
    assert positions(log) == [*range(1, KEPT + 1)]


def test_a_commit_is_refused_after_another_process_continued_from_the_backup(
    log: Turnlog, url: str
):
    if not log.store.gives_positions:
        pytest.skip("a file that is put back is another file, which is noticed")
    lose_tail(log)
    with turnlog.open(url) as other:
        for turn in range(4):
            other.record("anna", BotUttered(f"otherwise {turn}"))
            with pytest.raises(StorageError):
                log.record("anna", BotUttered("and on"))
        said = [event.text for event in other.conversation("anna").events()]
        assert said == ["0", "1", "2", *(f"otherwise {turn}" for turn in range(4))]
        assert [fault for fault in verify(other.store).faults if fault.conversation] == []


def test_a_lost_key_is_not_known(log: Turnlog):
    lose_tail(log)
    with pytest.raises(AnotherPast):
        log.record("anna", BotUttered("again 1"), key="bot 1")


def test_a_reopened_log_continues(log: Turnlog, url: str):
    lose_tail(log)
    with pytest.raises(AnotherPast):
        log.record("anna", BotUttered("and on"))
    with turnlog.open(url) as again:
        assert again.record("anna", BotUttered("again 1"), key="bot 1").new
        assert again.conversation("anna").state.event == 4


def test_reading_after_the_loss_is_refused(log: Turnlog):
    lose_tail(log)
    with pytest.raises(AnotherPast):
        log.conversation("anna")


def test_the_tables_are_not_updated_from_a_wrong_past(log: Turnlog):
    lose_tail(log)
    before = log.store.reader.heads()
    with pytest.raises(AnotherPast):
        log.current.catch_up()
    assert log.store.reader.heads() == before


def test_a_log_with_a_gap_is_copied_unchanged(log: Turnlog, tmp_path: Path):
    Tables(log.store).run("DELETE FROM {}rows_t1 WHERE position = 2")
    backup(log.store, tmp_path / "backup.db")
    with opened(tmp_path / "backup.db") as copy:
        assert [row.position for row in copy.reader.tail(0, 100)] == positions(log)
        assert not verify(copy).ok
