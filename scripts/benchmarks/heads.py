"""The cost of heads and proofs next to that of the turns they cover; part of the set `audit`."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import quantiles

from scripts.benchmarks.figures import Figure, at_most, below, seconds, seconds_raw
from scripts.benchmarks.sides import Ours, size
from turnlog.audit.checking import check
from turnlog.audit.proving import ProvableTurn
from turnlog.audit.publishing import Publisher
from turnlog.projections.tree import Tree
from turnlog.proof.checkpoint import signed
from turnlog.proof.folder import TileFolder
from turnlog.proof.keys import PLAIN, Signer
from turnlog.storage.recent_digests import RecentDigests

KEY = Signer.of("bench", PLAIN, bytes([7] * 32))
EVENTS_A_ROW = 7
TURNS = 500
"""Of each conversation."""

CHECK = Path(__file__).parents[2] / "examples" / "check_log.py"
A_HEAD = 3_000
PROOFS = 300
HASH_LINE = 45
"""Bytes that a doubling of the log adds to a proof."""


def figures(*, quick: bool) -> Iterator[Figure]:
    events = 35_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        folder = Path(name)
        yield from _heads(folder)
        side = Ours(folder / "log.db", "OFF")
        conversations = events // EVENTS_A_ROW // TURNS
        for conversation in range(conversations):
            side.fill(conversation, TURNS)
        yield from _proofs(side, conversations)
        yield _one_file(side, folder, events)


def _heads(folder: Path) -> Iterator[Figure]:
    """A head every 3,000 turns, 60 s of 50 turns/s, with its tiles, against those turns."""
    side = Ours(folder / "heads.db", "NORMAL")
    side.log.store.recent = RecentDigests()  # as on a server that publishes them
    published = TileFolder(folder / "heads")
    publisher = Publisher(side.log.store, [KEY], side.log.clock, published)
    turns, heads, rounds = Cost(), Cost(), 4
    publisher.publish()
    for round in range(rounds):
        turns.take(partial(_append, side, range(round * A_HEAD, (round + 1) * A_HEAD)))
        heads.take(publisher.publish)
    side.close()
    yield at_most("heads", heads.cpu, turns.cpu, "s of CPU, heads and turns", most=0.1)
    waited = heads.wall / turns.wall
    yield Figure(
        "heads_waited", heads.wall, turns.wall, "s, heads and turns", waited,
        note="files are synced, on a separate thread",
    )  # fmt: skip
    tree = size(side.path) - _without_tree(side.path)
    tiles = sum(file.stat().st_size for file in published.folder.rglob("*") if file.is_file())
    events = rounds * A_HEAD * EVENTS_A_ROW
    note = f"tree {tree / events:.1f}, tiles and checkpoints {tiles / events:.1f}"
    yield below("heads_bytes", (tree + tiles) / events, "bytes an event", most=70, note=note)


class Cost:
    """Seconds of the clock and of the processor."""

    wall = cpu = 0.0

    def take(self, work: Callable[[], object]) -> None:
        begun = time.process_time()
        self.wall += seconds_raw(work)
        self.cpu += time.process_time() - begun


def _append(side: Ours, numbers: range) -> None:
    for n in numbers:
        side.append(n % 40, n)


def _without_tree(path: Path) -> int:
    import sqlite3
    from contextlib import closing

    copy = path.with_name("without.db")
    shutil.copy(path, copy)
    for database in (path, copy):
        with closing(sqlite3.connect(database)) as sql:
            if database == copy:
                sql.execute("DELETE FROM models WHERE model = 'tree'")
                sql.commit()
            sql.execute("VACUUM")
    return size(copy)


def _proofs(side: Ours, conversations: int) -> Iterator[Figure]:
    chance, log = random.Random(3), side.log
    first = seconds(lambda: Tree(log.store))
    rows = log.store.reader.last_position()
    yield Figure("first_tree", rows / first, None, "rows/s", None, note=f"{rows:,} rows")
    asked = [
        (f"c{chance.randrange(conversations)}", chance.randrange(1, TURNS)) for _ in range(PROOFS)
    ]
    made = [_prove(side, *each) for each in asked]
    grown = len(made[0][0]) + HASH_LINE * max(0, 20 - (rows - 1).bit_length())
    yield below("proof_bytes", grown, "bytes, at 10⁶ rows", most=2048)
    proving = (partial(_prove, side, *each) for each in asked)
    yield below("prove_warm_p99", _p99(proving), "ms", most=2)
    yield below("prove_cold_p99", _cold(side, asked[:40]), "ms", most=20)
    checking = (partial(check, *each, (), [KEY.verifier]) for each in made)
    yield below("check_proof_p99", _p99(checking), "ms", most=5)


def _prove(side: Ours, id: str, turn: int) -> tuple[bytes, bytes]:
    proven, tree = ProvableTurn(side.log, id, turn), Tree(side.log.store)
    note = signed(tree.checkpoint(), [KEY], side.log.clock)
    return str(proven.proof(tree, note)).encode(), proven.sidecar(tree.origin).encoded()


def _cold(side: Ours, asked: list[tuple[str, int]]) -> float:
    """Of a log that was just opened."""
    took = []
    for each in asked:
        side.reopen()
        took.append(seconds_raw(partial(_prove, side, *each)))
    return 1e3 * quantiles(took, n=100)[-1]


def _p99(works: Iterator[Callable[[], object]]) -> float:
    return 1e3 * quantiles([seconds_raw(work) for work in works], n=100)[-1]


def _one_file(side: Ours, folder: Path, events: int) -> Figure:
    publisher = Publisher(side.log.store, [KEY], side.log.clock)
    (folder / "note").write_text(str(publisher.publish()))
    (folder / "key").write_text(str(KEY.verifier))
    side.close()
    command = [sys.executable, CHECK, "log", side.path, folder / "note", folder / "key"]
    took = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    per_million = took * 1e6 / events
    return below("one_file", per_million, "s for 10⁶ events", most=10, note=f"{events:,} checked")
