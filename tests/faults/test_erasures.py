"""kill -9 in the middle of an erasure: the next opening of the log finishes it."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

import turnlog
from tests.faults import killing
from tests.faults.conftest import LONG
from tests.integration.test_erasure import fill, state_of
from tests.parts import postgres as postgres_part
from tests.parts.server import Server
from turnlog.audit.verify import verify
from turnlog.domain.events import ErasureFinished, ErasureRecorded, LogVacuumed
from turnlog.domain.streams import UPKEEP
from turnlog.engine.erasure.unfinished import unfinished
from turnlog.engine.log import Turnlog

ERASE = ("erase", "--person", "anna", "--reason", "asked to", "--actor", "dpo")
SECRETS = (b"canary", b"+4915", b"anna")
EVERY = 1 if LONG else 37
"""One of so many points is tried in the short form."""


def erase(url: str, point: int) -> subprocess.CompletedProcess[str]:
    """Erase Anna in a process that ends just before that point; 0 for none."""
    task, *options = ERASE
    program = [sys.executable, "-m", killing.__name__, str(point), task, url, *options]
    root = Path(__file__).parents[2]
    return subprocess.run(program, cwd=root, capture_output=True, text=True, check=False)


def made(url: str) -> bytes:
    """Ben's state, which stays unchanged."""
    with turnlog.open(url) as log:
        fill(log)
        return state_of(log, "ben")


def kinds(log: Turnlog) -> list[str]:
    return [type(event).__name__ for event in log.history(UPKEEP).events()]


def check_finished(url: str, ben: bytes) -> None:
    """A recorded erasure is done; an unrecorded one changed nothing."""
    with turnlog.open(url, readonly=True) as log:
        left = unfinished(log.store.reader)
        faults = verify(log.store).faults
        unfinished_faults = [f for f in faults if "erasure" in f.what]
        assert bool(left.open or left.vacuum) == bool(unfinished_faults)
    with turnlog.open(url) as log:
        assert verify(log.store).faults == []
        if "ErasureRecorded" in kinds(log):
            assert [*log.ids()] == ["ben", "group"]
            assert kinds(log) == [
                kind.__name__ for kind in (ErasureRecorded, ErasureFinished, LogVacuumed)
            ]
        else:
            assert [*log.ids()] == ["+4915", "ben", "group", "web-7"]
        assert state_of(log, "ben") == ben


def killed(place: Callable[[int], str], every: int) -> Iterator[tuple[int, str, bytes]]:
    """The logs at each place, with Ben's state, whose erasure ended at a point; the last was not
    killed.

    There are more points where something else keeps the database waiting.
    """
    for point in count(1, every):
        ben = made(url := place(point))
        status = erase(url, point).returncode
        yield point, url, ben
        if status == 0:
            break
        assert status == -9
    assert point > 5 * every


def test_an_erasure_killed_at_any_statement_is_finished_by_the_next_opening(tmp_path: Path) -> None:
    for point, url, ben in killed(lambda point: f"sqlite:///{tmp_path}/killed{point}.db", EVERY):
        check_finished(url, ben)
        with turnlog.open(url) as log:
            recorded = "ErasureRecorded" in kinds(log)
        for file in tmp_path.glob(f"killed{point}.db*"):
            found = [secret for secret in SECRETS if secret in file.read_bytes()]
            assert not (recorded and found), (point, file, found)


def test_an_erasure_killed_on_postgresql_is_finished_by_the_next_opening(postgres: Server) -> None:
    every = EVERY if LONG else 2 * EVERY
    for _, url, ben in killed(lambda _: postgres_part.fresh_database(postgres.url), every):
        check_finished(url, ben)
        postgres_part.drop_database(url)


@pytest.mark.skipif(not LONG, reason="scripts/campaign erasures")
def test_an_erasure_killed_at_a_hundred_moments_is_finished(tmp_path: Path) -> None:
    moments = random.Random(15)
    for n in range(100):
        url = f"sqlite:///{tmp_path}/log{n}.db"
        ben = made(url)
        program = [sys.executable, "-m", killing.__name__, "0", ERASE[0], url, *ERASE[1:]]
        process = subprocess.Popen(program, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE)
        time.sleep(moments.uniform(0.0, 1.5))
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=30)
        check_finished(url, ben)
