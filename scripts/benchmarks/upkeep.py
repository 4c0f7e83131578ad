"""The cost of derived tables, of the audit, and of a log's size alone."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median, quantiles

import turnlog
from scripts.benchmarks.figures import Figure, at_most, below, interleaved, seconds_raw
from scripts.benchmarks.sides import Ours
from turnlog.audit.verify import verify

CONVERSATIONS = 1_000
BETWEEN = 900
"""Turns after which the benchmark updates the tables, before the writer does so itself."""

MANY = 1_000_000
GROUP = 2_000


def figures(*, quick: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        folder = Path(name)
        yield _catch_up(folder, 10 if quick else 30)
        yield _verify(folder, 400 if quick else 4_000)
        if not quick:
            yield _opening(folder)


def _catch_up(folder: Path, rounds: int) -> Figure:
    """The slowest hundredth of commits with and without the writer catching up."""
    chance = random.Random(5)
    sides = {name: Ours(folder / f"{name}.db", "NORMAL") for name in ("within", "between")}
    took: dict[str, list[float]] = {name: [] for name in sides}
    for n in range(CONVERSATIONS):
        for side in sides.values():
            side.append(n, n)
    for _ in range(rounds):
        turns = [chance.randrange(CONVERSATIONS) for _ in range(BETWEEN)]
        for name, side in sides.items():
            took[name] += [seconds_raw(partial(side.append, c, n)) for n, c in enumerate(turns)]
        sides["between"].level()
    for side in sides.values():
        side.close()
    within, between = (1e6 * quantiles(took[name], n=100)[-1] for name in ("within", "between"))
    return at_most("catch_up_p99", within, between, "µs, the slowest hundredth", most=1.5)


def _verify(folder: Path, turns: int) -> Figure:
    """Commits of one turn each, checked by two processes and by one."""
    side = Ours(folder / "verify.db", "OFF")
    for conversation in range(40):
        side.fill(conversation, turns)
    events = verify(side.log.store).events

    def rate(jobs: int) -> float:
        return events / seconds_raw(lambda: verify(side.log.store, jobs=jobs))

    taken = interleaved({str(jobs): partial(rate, jobs) for jobs in (1, 2)}, 3)
    side.close()
    return Figure(
        "verify_jobs_2", taken["2"], taken["1"], "events/s", taken["2"] / taken["1"],
        note="ours: two processes; theirs: one",
    )  # fmt: skip


def _opening(folder: Path) -> Figure:
    """Opening a log of very many conversations for writing, and reading one of them."""
    side = Ours(folder / "many.db", "OFF")
    for first in range(0, MANY, GROUP):
        for n in range(first, first + GROUP):
            said = turnlog.UserUttered("hello", timestamp=0.0)
            side.log.writer.submit(side.log.request(f"c{n}", [said]))
        side.log.writer.flush()
    side.close()

    took: list[float] = []
    for n in range(9):
        opened: list[turnlog.Turnlog] = []
        took.append(seconds_raw(partial(_open, side.path, f"c{n}", opened)))
        opened[0].close()
    return below("open_1m_ms", 1e3 * median(took), "ms", most=50, note="1,000,000 conversations")


def _open(path: Path, conversation: str, opened: list[turnlog.Turnlog]) -> None:
    opened.append(turnlog.open(f"sqlite:///{path}"))
    assert opened[0].conversation(conversation).turn == 1
