"""Many concurrently: one message, one version, one file, one empty database (5, 6, 13, 17)."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

import turnlog
from tests.faults.conftest import LONG, Start
from turnlog import UserUttered
from turnlog.audit.verify import verify
from turnlog.errors import VersionConflict
from turnlog.storage.rows import HEADS

PROCESSES = {"sqlite": 8, "postgres": 4}
TRIES, DEATHS = (10_000, 4) if LONG else (200, 1)


def test_one_message_id_sent_a_hundred_times_concurrently_is_stored_once(durable_url: str) -> None:
    message = UserUttered("hello", message_id="m1")
    logs = [turnlog.open(durable_url) for _ in range(4)]
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda n: logs[n % 4].record("alice", message), range(100)))
    for log in logs:
        log.close()
    with turnlog.open(durable_url) as log:  # after a restart as well
        answers.append(log.record("alice", message))
        assert len(list(log.conversation("alice").events())) == 1
    assert [answer.new for answer in answers].count(True) == 1
    assert len({str(answer.commits) for answer in answers}) == 1


def test_processes_that_deliver_one_message_open_one_turn_and_lose_nothing(
    durable_url: str, start: Start
) -> None:
    at = time.time() + 1.5
    processes = [start("repeat", durable_url, number, at) for number in range(4)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors.decode()
    with turnlog.open(durable_url) as log:
        alice = log.conversation("alice")
        assert (alice.turn, alice.state.event) == (20, 20 + 4 * 20)
        assert alice.slots == {f"by {number}": 19 for number in range(4)}
        assert verify(log.store).faults == []


def test_of_sixteen_writers_on_one_version_one_wins_and_the_others_get_a_conflict(
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


@pytest.mark.parametrize("back_end", PROCESSES)
def test_a_key_of_many_processes_is_stored_once_whichever_is_killed(
    back_end: str, request: pytest.FixtureRequest, start: Start
) -> None:
    """Every process sends every key, and sends all of them again after a kill."""
    url: str = request.getfixturevalue(f"{back_end}_url")
    turnlog.open(url).close()
    processes = PROCESSES[back_end]
    keys = TRIES // processes

    def go(number: int) -> list[str]:
        """Answers of one process, and of those that follow when it is killed."""
        behind = 10**9 if number % 2 else 20  # the rows of every other one are only in the tail
        kills = [keys // 5 * n for n in range(1, DEATHS + 1)] if number < 4 else []
        answered: list[str] = []
        for kill_after in [*kills, None]:
            answered += answers(start("keyed", url, number, keys, behind), kill_after)
        return answered

    half = keys // 2
    alone = answers(start("keyed", url, "alone", keys, 10**9, half), half)
    assert in_tables(url) == 0
    with ThreadPoolExecutor(processes) as pool:
        answered = [
            line.split() for lines in [alone, *pool.map(go, range(processes))] for line in lines
        ]
    places = {key: (conversation, int(version)) for key, conversation, version, _ in answered}
    assert len(answered) >= processes * keys
    assert len({tuple(line[:3]) for line in answered}) == len(places) == keys  # one place for a key
    assert max(Counter(line[0] for line in answered if line[3] == "1").values()) == 1
    with turnlog.open(url) as log:
        commits = [row.commit() for row in log.store.reader.tail(0, 10**6)]
        stored = {c.key: (c.conversation, c.version) for c in commits if c.key is not None}
        assert len(stored) == len(commits) == keys
        assert stored == {f"key {key}": place for key, place in places.items()}
        assert verify(log.store).faults == []
    deaths = 1 + DEATHS * min(4, processes)
    print(f"\n{back_end}: {len(answered)} tries of {keys} keys, {deaths} kills, each stored once")


def in_tables(url: str) -> int:
    """The position that the derived tables have reached."""
    with turnlog.open(url, readonly=True) as log:
        found = log.store.reader.checkpoint(HEADS)
        return found.position if found else 0


def answers(process: subprocess.Popen[bytes], kill_after: int | None) -> list[str]:
    """The whole lines of a process, which is killed after so many."""
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        if line.endswith(b"\n"):
            lines.append(line.decode())
        if len(lines) == kill_after:
            process.kill()
    assert process.wait() == (0 if kill_after is None else -9), process.stderr.read().decode()  # type: ignore[union-attr]
    return lines


def test_eight_processes_on_one_file_all_get_their_turn(sqlite_url: str, start: Start) -> None:
    turnlog.open(sqlite_url).close()
    at, seconds = time.time() + 2.5, 20 if LONG else 4
    processes = [start("crowd", sqlite_url, number, at, seconds) for number in range(8)]
    took = []
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
        took.append(sorted(map(float, output.split())))
    counts = [len(times) for times in took]
    slowest = max(times[int(len(times) * 0.99)] for times in took)
    print("commits", counts, "p99", slowest)
    assert max(counts) / min(counts) <= 5
    assert slowest < 1
