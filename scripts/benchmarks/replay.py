"""A bot's replay against plain reading of the same events."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import turnlog
from scripts.benchmarks.figures import Figure, at_least
from scripts.benchmarks.replay_bots import ANSWER_SECONDS, TURNS, turn
from turnlog.replay import replay

BOTS = "scripts.benchmarks.replay_bots"
INSTANT, WAITING = f"{BOTS}:instant", f"{BOTS}:waits"

MANY, FEW, SLOW = 1_800, 300, 64
"""Conversations: worth two processes, not worth them, and for a bot that waits."""


def figures(*, quick: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        url = f"sqlite:///{_filled(Path(name))}"
        with turnlog.open(url, readonly=True) as log:
            yield _beside_reading(log, 5 if quick else 15)
            yield from _two_jobs(log, 3 if quick else 7)
            yield _side_by_side(log)


def _filled(folder: Path) -> Path:
    with turnlog.open(f"sqlite:///{folder / 'log.db'}?synchronous=OFF") as log:
        for first in range(0, MANY, 50):
            for n in range(first, first + 50):
                for number in range(TURNS):
                    log.writer.submit(log.request(f"c{n:05}", turn(number), key=f"{n} {number}"))
            log.writer.flush()
    return folder / "log.db"


def _beside_reading(log: turnlog.Turnlog, times: int) -> Figure:
    """By processor time; the two alternate."""
    ids = list(log.ids())[:FEW]
    works: dict[str, Callable[[], Any]] = {
        "read": lambda: [list(log.conversation(id).events()) for id in ids],
        "replay": partial(_replayed, log, ids, INSTANT, jobs=0),
    }
    took: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(times):
        for name, work in works.items():
            begun = time.process_time()
            work()
            took[name].append(time.process_time() - begun)
    replaying, reading = (FEW / median(took[name]) for name in ("replay", "read"))
    unit, ratio = "conversations/s", reading / replaying
    return Figure(
        "replay_vs_reading", replaying, reading, unit, ratio, "≤ 12 times its time", ratio <= 12
    )


def _two_jobs(log: turnlog.Turnlog, times: int) -> Iterator[Figure]:
    """Two processes against one, both started for it; the best of each, because the machine has
    other users.

    With a single processor the result means nothing.
    """
    for count, least in ((MANY, 1.6), (FEW, 1.0)):
        ids = list(log.ids())[:count]
        took: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(times):
            for jobs in took:
                begun = time.perf_counter()
                _replayed(log, ids, INSTANT, jobs=jobs)
                took[jobs].append(time.perf_counter() - begun)
        one, two = (count / min(took[jobs]) for jobs in (1, 2))
        yield at_least(f"replay_2_jobs_of_{count}", two, one, "conversations/s", least=least)


def _side_by_side(log: turnlog.Turnlog) -> Figure:
    """With a bot that waits; what one conversation at a time takes is known without trying."""
    ids = list(log.ids())[:SLOW]
    begun = time.perf_counter()
    _replayed(log, ids, WAITING, concurrency=32)
    took = time.perf_counter() - begun
    alone = 1 / (TURNS * ANSWER_SECONDS)
    return at_least("replay_concurrency_32", SLOW / took, alone, "conversations/s", least=20)


def _replayed(log: turnlog.Turnlog, ids: list[str], bot: str, **options: Any) -> None:
    found = list(replay(log, ids, bot, **options))
    assert [one.conversation for one in found] == ids
    assert all(one.turns == TURNS and not one.divergences for one in found)
