"""The high-water file of a SQLite log shows whether its newest rows are missing."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from tests.stored import rows_of
from turnlog import TailLost, UserUttered
from turnlog.domain.streams import UPKEEP
from turnlog.engine.log import Turnlog
from turnlog.storage import copying
from turnlog.storage.high_water import SLOT_BYTES, HighWater, HighWaterFile
from turnlog.storage.high_water_keeper import BEHIND_ROWS
from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.replacing import restore_over

TURNS = 500


def fill(log: Turnlog, turns: int = TURNS) -> None:
    for number in range(turns):
        log.record("alice", UserUttered(f"message {number}"))


def opened(path: Path) -> Turnlog:
    return turnlog.open(f"sqlite:///{path}")


def faults(path: Path) -> list[str]:
    """The faults that `turnlog verify` finds; its exit status shows whether there are any."""
    ran = run("verify", "--json", "--db", f"sqlite:///{path}")
    found = [fault["what"] for fault in ran.json["faults"]]
    assert ran.status == (1 if found else 0)
    return found


def losses(log: Turnlog) -> list[TailLost]:
    rows = rows_of(log.store.reader, UPKEEP)
    events = [event for row in rows for event in row.commit().events]
    assert all(isinstance(event, TailLost) for event in events)
    return events  # type: ignore[return-value]


def reached(path: Path) -> int | None:
    mark = HighWaterFile(str(path)).read()
    return mark and mark.position


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A log of 500 turns that was copied without its -wal but with its high-water file."""
    path, copy = tmp_path / "chat.db", tmp_path / "b.db"
    with opened(path) as log:
        fill(log)
        shutil.copy(path, copy)
    shutil.copy(f"{path}-highwater", f"{copy}-highwater")
    return copy


def test_a_log_that_is_closed_or_copied_whole_verifies(tmp_path: Path):
    path = tmp_path / "chat.db"
    with opened(path) as log:
        fill(log)
        (tmp_path / "copy").mkdir()
        for file in sorted(tmp_path.glob("chat.db*")):
            shutil.copy(file, tmp_path / "copy")
    assert reached(path) == TURNS
    assert faults(path) == []
    assert faults(tmp_path / "copy" / "chat.db") == []


def test_verify_says_where_a_copy_without_its_wal_ended(cut: Path):
    assert faults(cut) == ["the log ended at 500, now at 0"]


def test_verify_reports_an_end_that_nothing_vouches_for(cut: Path):
    Path(f"{cut}-highwater").unlink()
    assert faults(cut) == [f"the end of the log cannot be verified: {cut}-highwater is missing"]


@pytest.mark.parametrize("content", [b"", b"x" * 10_000])
def test_a_damaged_file_vouches_for_nothing(cut: Path, content: bytes):
    Path(f"{cut}-highwater").write_bytes(content)
    assert faults(cut) == [f"the end of the log cannot be verified: {cut}-highwater is damaged"]


def test_verify_reports_another_row_at_the_mark(cut: Path):
    for path in (cut, Path(f"{cut}-highwater")):
        path.rename(path.with_name(path.name.replace("b.db", "c.db")))
    other = cut.with_name("other.db")
    with opened(other) as log:
        fill(log, TURNS + 1)
    shutil.copy(other, cut.with_name("c.db"))
    assert faults(cut.with_name("c.db")) == ["the log ended at 500, where it now holds another row"]


def test_named_conversations_are_verified_without_the_end(cut: Path):
    Path(f"{cut}-highwater").unlink()
    with opened(cut) as log:
        log.record("bob", UserUttered("hello"))
    Path(f"{cut}-highwater").unlink()
    assert run("verify", "bob", "--db", f"sqlite:///{cut}").status == 0


def test_opening_warns_and_records_the_loss_once_and_continues(
    cut: Path, caplog: pytest.LogCaptureFixture
):
    lost = HighWaterFile(str(cut)).read()
    assert lost is not None
    with opened(cut) as log:
        assert "the log ended at 500, now at 0" in caplog.text
        assert [(loss.position, loss.digest, loss.end) for loss in losses(log)] == [
            (500, lost.digest.hex(), 0)
        ]
        log.record("alice", UserUttered("and on"))
    caplog.clear()
    with opened(cut) as log:
        assert caplog.text == ""
        assert len(losses(log)) == 1
    assert faults(cut) == []


def test_a_loss_is_recorded_once_though_the_file_could_not_be_written(
    cut: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def failing(*arguments: object) -> None:
        raise OSError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(HighWaterFile, "replace", failing)
        opened(cut).close()
    assert "no space" in caplog.text
    with opened(cut) as log:
        assert len(losses(log)) == 1
        fill(log, 3)
    assert faults(cut) == []


def test_threads_that_open_it_together_record_the_loss_once(cut: Path):
    barrier = threading.Barrier(6)

    def work() -> None:
        barrier.wait()
        with opened(cut) as log:
            log.record("bob", UserUttered("hello"))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with opened(cut) as log:
        assert len(losses(log)) == 1
        assert log.store.reader.last_position() == 7
    assert faults(cut) == []


def test_a_missing_file_causes_a_warning_and_is_created_again(
    cut: Path, caplog: pytest.LogCaptureFixture
):
    Path(f"{cut}-highwater").unlink()
    with opened(cut) as log:
        assert "b.db-highwater is missing" in caplog.text
        fill(log, 1)
        assert reached(cut) == 1


def test_opening_read_only_records_nothing(cut: Path):
    with turnlog.open(f"sqlite:///{cut}", readonly=True) as log:
        assert log.store.reader.last_position() == 0
    assert faults(cut) == ["the log ended at 500, now at 0"]


def test_the_mark_is_written_after_a_number_of_rows_or_seconds(tmp_path: Path):
    path = tmp_path / "chat.db"
    with opened(path) as log:
        for turns in range(1, 200):
            fill(log, 1)
            assert turns - BEHIND_ROWS < (reached(path) or 0) <= turns
        eventually(lambda: reached(path) == 199)


def test_a_log_continues_when_the_mark_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = tmp_path / "chat.db"
    Path(f"{path}-highwater").mkdir()
    with opened(path) as log:
        fill(log, 200)
    assert caplog.text.count("the end of the log cannot be verified: [Errno") == 1
    assert faults(path) == [f"the end of the log cannot be verified: {path}-highwater is damaged"]


def test_no_file_is_left_where_the_log_was_moved_away(tmp_path: Path):
    path = tmp_path / "folder" / "chat.db"
    path.parent.mkdir()
    log = opened(path)
    fill(log, 10)
    path.parent.rename(tmp_path / "elsewhere")
    path.parent.mkdir()
    log.close()
    assert list(path.parent.iterdir()) == []


def test_a_link_to_a_log_uses_the_file_of_its_target(tmp_path: Path):
    path, link = tmp_path / "chat.db", tmp_path / "link.db"
    with opened(path) as log:
        fill(log, 1)
    link.symlink_to(path)
    with opened(link) as log:
        fill(log, 1)
    assert reached(path) == 2
    assert not Path(f"{link}-highwater").exists()


def test_a_log_in_memory_has_no_high_water_file():
    with Turnlog(MemoryRecorder()) as log:
        fill(log, 1)
        assert log.store.high_water is None


@pytest.mark.parametrize("vouched", [True, False])
def test_a_backup_of_a_shortened_log_warns_and_so_does_its_restore(cut: Path, vouched: bool):
    if not vouched:
        Path(f"{cut}-highwater").unlink()
    says = "the log ended at 500, now at 0" if vouched else "the end of the log cannot be verified"
    into = f"sqlite:///{cut.with_name('into.db')}"
    assert says in run("restore", cut, "--db", into).err
    assert says in run("backup", cut.with_name("backup.db"), "--db", f"sqlite:///{cut}").err


# --- rows newer than the heads --------------------------------------------------------------------


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A log as a killed process leaves it, its heads 150 commits behind."""
    path, copy = tmp_path / "chat.db", tmp_path / "killed" / "chat.db"
    copy.parent.mkdir()
    with opened(path) as log:
        fill(log, 50)
        log.current.catch_up()
        for number in range(150):
            log.record(f"c{number % 50}", UserUttered(f"message {number}"))
        eventually(lambda: reached(path) == 200)
        for file in tmp_path.glob("chat.db*"):
            shutil.copy(file, copy.parent)
    return copy


WHERE = "WHERE version = 3 AND position BETWEEN 160 AND 190"
EDITS = {
    "a word": f"UPDATE rows_t1 SET parts = changed(parts) {WHERE}",
    "in clear": f"UPDATE rows_t1 SET skeleton = CAST(skeleton || x'c0' AS BLOB) {WHERE}",
    "commitments": f"UPDATE rows_t1 SET commitments = x'90' {WHERE}",
    "the newest row of all": "UPDATE rows_t1 SET topic = 't2' WHERE position = 200",
    "a row of another type": f"UPDATE rows_t1 SET parts = 5 {WHERE}",
}


def edit(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("changed", 1, lambda parts: parts.replace(b"mess", b"mass"))
        assert connection.execute(statement).rowcount > 0


@pytest.mark.parametrize("name", EDITS)
def test_a_changed_newest_row_of_any_conversation_is_found(killed: Path, name: str):
    assert faults(killed) == []
    edit(killed, EDITS[name])
    what = "the log ended at 200, where it now holds another row, or at one from 50 on"
    assert what in faults(killed)


def test_opening_a_log_with_changed_newest_rows_warns_and_records_it(
    killed: Path, caplog: pytest.LogCaptureFixture
):
    edit(killed, EDITS["a word"])
    with opened(killed) as log:
        assert "where it now holds another row, or at one from 50 on" in caplog.text
        assert [(loss.position, loss.end) for loss in losses(log)] == [(200, 200)]


def test_a_backup_vouches_for_rows_newer_than_its_heads(killed: Path, tmp_path: Path):
    backup = tmp_path / "backup.db"
    with turnlog.open(f"sqlite:///{killed}", readonly=True) as log:
        copying.backup(log.store, backup)
    assert faults(backup) == []
    untouched = backup.read_bytes()
    edit(backup, EDITS["a word"])
    assert "where it now holds another row" in faults(backup)[0]
    backup.write_bytes(untouched)
    assert run("rebuild", "--db", f"sqlite:///{backup}").status == 0
    with opened(backup) as log:
        log.record("c0", UserUttered("and on"))
        log.current.catch_up()
    assert faults(backup) == []


def test_logs_that_write_in_turn_vouch_for_each_others_rows(tmp_path: Path):
    path = tmp_path / "chat.db"
    with opened(path) as one, opened(path) as other:
        for number in range(400):
            log = (one, other)[number % 7 == 0]
            log.record(f"c{number % 90}", UserUttered(f"message {number}"))
            if number % 150 == 149:
                other.current.catch_up()
            mark = HighWaterFile(str(path)).read()
            assert mark is not None
            assert mark.missed(one.store.reader) is None
        eventually(lambda: reached(path) == 400)
    mark = HighWaterFile(str(path)).read()
    assert mark is not None
    assert (mark.position, mark.since) == (400, 400)
    assert faults(path) == []


# --- the file itself ------------------------------------------------------------------------------


def mark(position: int) -> HighWater:
    return HighWater(position, position.to_bytes(32), position // 2)


@pytest.fixture
def file(tmp_path: Path) -> HighWaterFile:
    (tmp_path / "chat.db").touch()
    return HighWaterFile(str(tmp_path / "chat.db"))


def test_the_mark_only_moves_forward(file: HighWaterFile):
    assert file.read() is None
    for position, expected in ((5, 5), (3, 5), (5, 5), (6, 6), (9, 9), (8, 9)):
        file.advance(mark(position))
        assert file.read() == mark(expected)


def test_the_mark_moves_back_only_from_a_lost_end(file: HighWaterFile):
    file.advance(mark(9))
    file.replace(mark(8), mark(1))
    assert file.read() == mark(9)
    file.replace(mark(9), mark(1))
    assert file.read() == mark(1)


def test_the_mark_moves_forward_under_many_writers(file: HighWaterFile):
    seen: list[int] = []

    def write(first: int) -> None:
        other = HighWaterFile(file.path.removesuffix("-highwater"))
        for position in range(first, 400, 4):
            other.advance(mark(position))

    threads = [threading.Thread(target=write, args=(first,)) for first in range(1, 5)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (found := file.read()) is not None:
            seen.append(found.position)
            assert found == mark(found.position)
    assert seen == sorted(seen)
    assert file.read() == mark(max(range(1, 400)))


def test_a_write_cut_off_anywhere_leaves_the_old_mark_or_the_new_one(file: HighWaterFile):
    path = Path(file.path)
    for position in (1, 2, 3):
        file.advance(mark(position))
    before = path.read_bytes()
    file.advance(mark(4))
    after = path.read_bytes()
    found: set[HighWater] = set()
    for written in range(len(after) + 1):
        path.write_bytes(after[:written] + before[written:])
        now = file.read()
        assert now is not None
        found.add(now)
    assert found == {mark(3), mark(4)}


def test_a_flipped_bit_gives_an_older_mark_and_never_a_false_one(file: HighWaterFile):
    path = Path(file.path)
    file.advance(mark(1))
    file.advance(mark(2))
    content = path.read_bytes()
    for start in (0, SLOT_BYTES):
        for bit in range(8 * 80):
            flipped = bytearray(content)
            flipped[start + bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            assert file.read() in (mark(1), mark(2))


# --- backups --------------------------------------------------------------------------------------

CUTS = """
DELETE FROM rows_t1 WHERE position > 490;
DELETE FROM heads; DELETE FROM snapshots;
"""


def test_a_backup_vouches_for_its_own_end(tmp_path: Path):
    path, backup = tmp_path / "chat.db", tmp_path / "backup.db"
    with opened(path) as log:
        fill(log)
        copying.backup(log.store, backup)
    assert sorted(file.name for file in tmp_path.iterdir() if "backup" in file.name) == [
        "backup.db"
    ]
    alone = tmp_path / "alone.db"
    shutil.copy(backup, alone)
    assert faults(alone) == []
    shutil.copy(backup, alone)
    for suffix in ("-wal", "-shm", "-highwater"):
        Path(f"{alone}{suffix}").unlink(missing_ok=True)
    with closing(sqlite3.connect(alone)) as connection:
        connection.executescript(CUTS)
    assert any("is at position 500, where the log has no row" in what for what in faults(alone))


def test_a_backup_that_is_written_to_no_longer_vouches_for_its_own_end(tmp_path: Path):
    path, backup = tmp_path / "chat.db", tmp_path / "backup.db"
    with opened(path) as log:
        fill(log, 10)
        copying.backup(log.store, backup)
    with opened(backup) as log:
        fill(log, 10)
        shutil.copy(backup, tmp_path / "copy.db")
    assert faults(backup) == []
    assert "copy.db-highwater is missing" in faults(tmp_path / "copy.db")[0]


def test_a_backup_that_was_copied_over_a_log_is_found(tmp_path: Path):
    path, backup = tmp_path / "chat.db", tmp_path / "backup.db"
    with opened(path) as log:
        fill(log, 10)
        copying.backup(log.store, backup)
        fill(log, 10)
    shutil.copy(backup, path)
    assert faults(path) == ["the log ended at 20, now at 10"]
    with opened(path) as log:
        assert [loss.position for loss in losses(log)] == [20]
    assert faults(path) == []


def test_a_restored_log_is_marked_only_by_its_file(tmp_path: Path):
    path, backup, into = (tmp_path / name for name in ("chat.db", "backup.db", "into.db"))
    with opened(path) as log:
        fill(log, 10)
        log.view("transcript")
        copying.backup(log.store, backup)
        checkpoints = log.store.reader.checkpoints()
    with opened(into) as log, copying.opened(backup) as source:
        copying.copy(source, log.store)
        assert log.store.reader.checkpoints() == checkpoints
    assert reached(into) == 10
    restore_over(backup, into)
    with opened(into) as log:
        assert log.store.reader.checkpoints() == checkpoints
