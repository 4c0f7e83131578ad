"""Given a log that somebody changed, when a conversation is read, then nothing false is served."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import turnlog
from turnlog import BotUttered, UserUttered
from turnlog.errors import Corrupt
from turnlog.projections import live_head

OF = "stream = (SELECT stream FROM heads WHERE conversation = '{}')".format
OF_ANNA, OF_BEN = OF("anna"), OF("ben")
COPIED = "previous, skeleton, commitments, parts"

EDITS = {
    "a word was changed": [
        f"UPDATE rows_t1 SET parts = changed(parts, 'for 4', 'for 9') WHERE {OF_ANNA}"
    ],
    "the newest word was changed": [
        f"UPDATE rows_t1 SET parts = changed(parts, 'for 19', 'for 91') WHERE {OF_ANNA}"
    ],
    "the time was changed": [
        f"UPDATE rows_t1 SET skeleton = changed(skeleton, '@y', '@x')"
        f" WHERE {OF_ANNA} AND version = 3"
    ],
    "a row was removed": [f"DELETE FROM rows_t1 WHERE {OF_ANNA} AND version = 7"],
    "the first row was removed": [f"DELETE FROM rows_t1 WHERE {OF_ANNA} AND version = 1"],
    "a removed row was closed over": [
        f"DELETE FROM rows_t1 WHERE {OF_ANNA} AND version = 7",
        f"UPDATE rows_t1 SET version = version - 1 WHERE {OF_ANNA} AND version > 7",
    ],
    "the tail was cut": [f"DELETE FROM rows_t1 WHERE {OF_ANNA} AND version > 15"],
    "all rows were removed": [f"DELETE FROM rows_t1 WHERE {OF_ANNA}"],
    "two rows were exchanged": [
        f"UPDATE rows_t1 SET version = -version WHERE {OF_ANNA} AND version IN (7, 8)",
        f"UPDATE rows_t1 SET version = 15 + version WHERE {OF_ANNA} AND version < 0",
    ],
    "a row of another conversation": [
        f"DELETE FROM rows_t1 WHERE {OF_ANNA} AND version = 7",
        f"UPDATE rows_t1 SET stream = (SELECT stream FROM heads WHERE conversation = 'anna')"
        f" WHERE {OF_BEN} AND version = 7",
    ],
    "a row was repeated": [
        f"UPDATE rows_t1 SET ({COPIED}) = (SELECT {COPIED} FROM rows_t1"
        f" WHERE {OF_ANNA} AND version = 8) WHERE {OF_ANNA} AND version = 9",
    ],
    "the name leads to another conversation": [
        "UPDATE streams SET lookup = NULL WHERE "
        + OF_ANNA,
        f"UPDATE streams SET lookup = x'01' WHERE {OF_BEN}",
    ],
    "two conversations exchanged their names": [
        "CREATE TABLE kept AS SELECT stream, name, owner FROM streams",
        *(
            f"UPDATE streams SET (name, owner) = (SELECT name, owner FROM kept WHERE {other})"
            f" WHERE {one}"
            for one, other in ((OF_ANNA, OF_BEN), (OF_BEN, OF_ANNA))
        ),
        "DROP TABLE kept",
    ],
    "the head is of another row": [
        "UPDATE heads SET digest = zeroblob(32) WHERE conversation = 'anna'"
    ],
}  # fmt: skip


def fill(path: Path) -> None:
    clock = map(float, range(400, 10**6)).__next__
    with patch.object(live_head, "SNAPSHOT_EVERY", 8), turnlog.open(url(path), clock=clock) as log:
        for turn in range(20):
            for name in ("anna", "ben"):
                log.record(name, UserUttered(f"for {turn}", message_id=f"m{turn}"))
                log.record(name, BotUttered("noted"))


def url(path: Path) -> str:
    return f"sqlite:///{path}?synchronous=OFF"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("reading") / "log.db"
    fill(path)
    return path.read_bytes()


@pytest.fixture
def path(whole: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "log.db"
    path.write_bytes(whole)
    return path


def _changed(blob: bytes, before: str, after: str) -> bytes:
    return blob.replace(before.encode(), after.encode())


def edit(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("changed", 3, _changed)
        before = connection.total_changes
        for statement in statements:
            connection.execute(statement)
        assert connection.total_changes > before


WHOLE: dict[str, Callable[[turnlog.Turnlog], Any]] = {
    "replay": lambda log: log.history("anna").replay(),
    "events": lambda log: log.read_events("anna"),
    "recorded": lambda log: log.read_recorded("anna"),
    "commits": lambda log: list(log.history("anna").commits()),
    "newest first": lambda log: list(log.history("anna").newest_first()),
}


@pytest.mark.parametrize("reading", WHOLE)
@pytest.mark.parametrize("name", EDITS)
def test_a_whole_read_of_a_changed_log_raises_corrupt(path: Path, name: str, reading: str):
    edit(path, *EDITS[name])
    with (
        turnlog.open(url(path), readonly=True) as log,
        pytest.raises(Corrupt, match="conversation 'anna'"),
    ):
        WHOLE[reading](log)


@pytest.mark.parametrize("reading", WHOLE)
def test_an_untouched_log_is_read(path: Path, reading: str):
    with turnlog.open(url(path), readonly=True) as log:
        assert WHOLE[reading](log)


def test_the_error_names_the_version(path: Path):
    edit(path, *EDITS["a word was changed"])
    with turnlog.open(url(path)) as log, pytest.raises(Corrupt) as raised:
        log.read_events("anna")
    assert "'anna', version 10 does not follow from the row before it" in str(raised.value)


def test_a_second_read_is_checked_again(path: Path):
    with turnlog.open(url(path)) as log:
        before = log.read_events("anna")
        assert log.read_events("anna") == before
        edit(path, *EDITS["a word was changed"])
        with pytest.raises(Corrupt, match="'anna', version 10"):
            log.read_events("anna")


def test_a_partial_read_is_checked_from_its_snapshot_on(path: Path):
    with turnlog.open(url(path)) as log:
        before = log.conversation("anna", turn=2).state
    edit(path, f"UPDATE rows_t1 SET parts = changed(parts, 'for 14', 'for 41') WHERE {OF_ANNA}")
    with turnlog.open(url(path)) as log:
        assert log.conversation("anna", turn=2).state == before
        with pytest.raises(Corrupt, match="'anna', version 30 does not follow"):
            log.conversation("anna", turn=15)


def test_a_partial_read_follows_from_its_snapshot(path: Path):
    """A forger who exchanges the rows after it has to change the past of all that follow."""
    edit(path, f"UPDATE snapshots SET digest = zeroblob(32) WHERE {OF_ANNA}")
    with (
        turnlog.open(url(path)) as log,
        pytest.raises(Corrupt, match="does not follow from the row before"),
    ):
        log.conversation("anna", event=21)


FORGED = "INSERT INTO rows_t1 SELECT {}, stream, {}, topic, previous, skeleton, commitments, parts"
PLACES = {
    "the next position": "(SELECT max(position) + 1 FROM rows_t1)",
    "a far position": "1000000",
    "a position below all": "-7",
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("open_already", [False, True])
def test_a_forged_next_row_is_corrupt_and_blocks_no_other_conversation(
    path: Path, place: str, open_already: bool
):
    forged = FORGED.format(place, 41) + f" FROM rows_t1 WHERE {OF_ANNA} AND version = 40"
    if not open_already:
        edit(path, forged)
    with turnlog.open(url(path)) as log:
        if open_already:
            log.record("ben", UserUttered("hello"))
            edit(path, forged)
        with pytest.raises(Corrupt, match="'anna'"):
            log.record("anna", UserUttered("me again"))
        assert log.record("ben", UserUttered("and I")).new


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_forged_next_row_does_not_hide_the_others(path: Path, place: str):
    edit(path, FORGED.format(place, 41) + f" FROM rows_t1 WHERE {OF_ANNA} AND version = 40")
    with turnlog.open(url(path)) as log:
        assert len(log.read_events("ben")) == 40
        with pytest.raises(Corrupt, match="conversation 'anna', version 41"):
            log.read_events("anna")


def test_a_changed_row_at_the_checkpoint_blocks_no_other_conversation(path: Path):
    edit(path, "UPDATE rows_t1 SET parts = changed(parts, 'noted', 'nited') WHERE position = 80")
    with turnlog.open(url(path)) as log:
        assert len(log.read_events("anna")) == 40
        assert log.record("anna", UserUttered("and on")).new
        with pytest.raises(Corrupt, match="conversation 'ben'"):
            log.read_events("ben")
