"""Lost ends under faults: flipped bits in the -wal, killed processes, crowds that write."""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import turnlog
from tests.faults.conftest import LONG, Start
from turnlog import UserUttered
from turnlog.audit.verify import verify
from turnlog.errors import StorageError
from turnlog.storage.high_water import HighWaterFile
from turnlog.storage.high_water_keeper import BEHIND_ROWS
from turnlog.storage.sqlite import SqliteRecorder

FLIPS = 500 if LONG else 80
KILLS = 20 if LONG else 4
LOOKS = 40 if LONG else 6
THREADS = 4
TURNS = 200


def reached(path: Path) -> int:
    mark = HighWaterFile(str(path)).read()
    assert mark is not None
    return mark.position


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def copied(files: list[Path], folder: Path) -> Path:
    """The files of a log, as a killed process leaves them, in a separate folder."""
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    return folder / "log.db"


def rows(path: Path) -> list[object]:
    recorder = SqliteRecorder(str(path), create=False)
    try:
        return list(recorder.reader.tail(0, 10**6))
    finally:
        recorder.close()


def found(path: Path) -> bool:
    """Whether `verify` reports a fault."""
    try:
        recorder = SqliteRecorder(str(path), create=False)
    except StorageError:
        return True
    try:
        return not verify(recorder).ok
    finally:
        recorder.close()


def test_each_flipped_bit_of_the_wal_that_changes_what_is_read_is_found(tmp_path: Path):
    path = tmp_path / "log.db"
    files = [path, Path(f"{path}-wal"), Path(f"{path}-highwater")]
    with turnlog.open(f"sqlite:///{path}") as log:
        for number in range(TURNS):
            log.record(f"c{number % 7}", UserUttered(f"message {number}"))
        eventually(lambda: reached(path) == TURNS)
        whole = copied(files, tmp_path / "whole")
    before = rows(copied(files_of(whole), tmp_path / "untouched"))
    assert len(before) == TURNS
    chance, lost, missed = random.Random(7), 0, []
    for number in range(FLIPS):
        copy = copied(files_of(whole), tmp_path / str(number))
        bit = flip(Path(f"{copy}-wal"), chance)
        second = copied(files_of(copy), tmp_path / f"{number}-read")
        changed = read(second) != before
        lost += changed
        if found(copy) != changed:
            missed.append((bit, changed))
    assert missed == []
    assert lost > FLIPS // 2


def files_of(path: Path) -> list[Path]:
    return [path, Path(f"{path}-wal"), Path(f"{path}-highwater")]


def read(path: Path) -> object:
    try:
        return rows(path)
    except StorageError as error:
        return str(error)


def flip(path: Path, chance: random.Random) -> int:
    content = bytearray(path.read_bytes())
    bit = chance.randrange(len(content) * 8)
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    return bit


def test_a_killed_process_leaves_a_mark_that_is_close_behind_and_true(tmp_path: Path, start: Start):
    path = tmp_path / "log.db"
    turnlog.open(f"sqlite:///{path}").close()
    chance = random.Random(11)
    for run in range(KILLS):
        process = start("crash", f"sqlite:///{path}", run, THREADS)
        assert process.stdout is not None
        process.stdout.readline()
        for _ in range(chance.randrange(400)):
            process.stdout.readline()
        process.kill()
        process.communicate()
        mark = HighWaterFile(str(path)).read()
        assert mark is not None
        recorder = SqliteRecorder(str(path))
        try:
            behind = recorder.reader.last_position() - mark.position
            assert 0 <= behind < BEHIND_ROWS + THREADS
            assert mark.missed(recorder.reader) is None
            assert verify(recorder).faults == []
        finally:
            recorder.close()


def test_there_is_no_false_alarm_while_processes_write(tmp_path: Path, start: Start):
    path = tmp_path / "log.db"
    turnlog.open(f"sqlite:///{path}").close()
    processes = [start("crash", f"sqlite:///{path}", n, 1) for n in range(4)]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
        threading.Thread(target=process.stdout.read, daemon=True).start()
    marks = []
    for _ in range(LOOKS):
        recorder = SqliteRecorder(str(path))
        try:
            assert verify(recorder).faults == []
        finally:
            recorder.close()
        marks.append(reached(path))
    assert marks == sorted(marks)
    eventually(lambda: reached(path) > marks[0])
