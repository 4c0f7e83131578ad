"""Many at once: one message, one version, one file, one empty database (5, 6, 13, 17)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import turnlog
from tests.faults.conftest import LONG, Start
from turnlog import UserUttered
from turnlog.errors import VersionConflict


def test_one_message_id_a_hundred_times_at_once_is_stored_once(durable_url: str) -> None:
    message = UserUttered("hello", message_id="m1")
    logs = [turnlog.open(durable_url) for _ in range(4)]
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda n: logs[n % 4].record("alice", message), range(100)))
    for log in logs:
        log.close()
    with turnlog.open(durable_url) as log:  # after a restart, too
        answers.append(log.record("alice", message))
        assert len(list(log.conversation("alice").events())) == 1
    assert [answer.new for answer in answers].count(True) == 1
    assert len({str(answer.commits) for answer in answers}) == 1


def test_of_sixteen_writers_on_one_version_one_wins_and_the_others_are_told(
    durable_url: str,
) -> None:
    def write(number: int) -> str:
        with turnlog.open(durable_url) as log:
            try:
                log.record("alice", UserUttered(str(number)), expected_version=1)
            except VersionConflict as conflict:
                return f"expected {conflict.expected}, found {conflict.actual}"
            return "won"

    with turnlog.open(durable_url) as log:
        log.record("alice", UserUttered("first"))
    with ThreadPoolExecutor(16) as pool:
        outcomes = sorted(pool.map(write, range(16)))
    assert outcomes == ["expected 1, found 2"] * 15 + ["won"]


def test_eight_processes_can_start_on_an_empty_database(durable_url: str, start: Start) -> None:
    at = time.time() + 1.5
    processes = [start("once", durable_url, number, at) for number in range(8)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    with turnlog.open(durable_url) as log:
        assert sorted(log.ids()) == [f"c{number}" for number in range(8)]


def test_eight_processes_on_one_file_all_get_their_turn(sqlite_url: str, start: Start) -> None:
    turnlog.open(sqlite_url).close()
    at, seconds = time.time() + 2.5, 20 if LONG else 4
    processes = [start("crowd", sqlite_url, number, at, seconds) for number in range(8)]
    took = []
    for process in processes:
        told, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
        took.append(sorted(map(float, told.split())))
    counts = [len(times) for times in took]
    slowest = max(times[int(len(times) * 0.99)] for times in took)
    print("commits", counts, "p99", slowest)
    assert max(counts) / min(counts) <= 5
    assert slowest < 1
