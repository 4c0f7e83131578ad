"""Where the time of one turn goes: the steps of a commit, each timed on its own."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from scripts.benchmarks.figures import Figure
from scripts.benchmarks.sides import Floor, Ours, turn
from turnlog.domain.commit import Commit
from turnlog.domain.decide import NoHistory, decide
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.storage.rows import Head, Row
from turnlog.storage.sqlite import SqliteRecorder

CONVERSATIONS = 32


def figures(*, quick: bool) -> Iterator[Figure]:
    turns = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        folder = Path(name)
        whole, floor = _whole(folder, turns)
        steps = _Steps(folder)
        for n in range(turns):
            steps.take(n)
        steps.store.close()
    parts = {step: median(times) for step, times in steps.took.items()}
    parts["rest"] = whole - sum(parts.values())
    yield Figure("one_turn", whole, floor, "µs, NORMAL", whole / floor, note="theirs: the floor")
    for step, took in parts.items():
        yield Figure(f"step_{step}", took, whole, "µs, NORMAL", took / whole, note=_NOTES[step])


_NOTES = {
    "make": "the turn's own events, made by the caller",
    "check": "types, values and sizes; a copy that nobody else holds",
    "decide": "what is recorded, and the state after it",
    "encode": "commit and state as bytes",
    "chain": "SHA-256 of the row",
    "begin": "BEGIN IMMEDIATE",
    "append": "the row in the log and its two indexes",
    "head": "the state, in the same transaction",
    "commit": "COMMIT: the pages go to the write-ahead log",
    "rest": "request, lock, batch, cache: what of the whole is not above",
}


def _whole(folder: Path, turns: int) -> tuple[float, float]:
    """Microseconds of a turn by `log.record` and on the floor, taking turns."""
    ours, floor = Ours(folder / "ours.db", "NORMAL"), Floor(folder / "floor.db", "NORMAL")
    took: dict[object, list[float]] = {ours: [], floor: []}
    for start in range(0, turns, CONVERSATIONS):
        for side in (ours, floor):
            for n in range(start, start + CONVERSATIONS):
                begun = time.perf_counter()
                side.append(n % CONVERSATIONS, n)
                took[side].append(1e6 * (time.perf_counter() - begun))
        if start == 0:  # the first ones make the conversations
            took = {side: [] for side in took}
    for side in (ours, floor):
        side.close()
    return median(took[ours]), median(took[floor])


class _Steps:
    """What the writer does for a turn, one step after the other. took: microseconds by step."""

    def __init__(self, folder: Path) -> None:
        self.took: dict[str, list[float]] = defaultdict(list)
        self.store = SqliteRecorder(str(folder / "steps.db"), synchronous="NORMAL")
        self._last = time.perf_counter()
        self._heads = {
            id: (Head(id, 0, 0, b"", 0, 0, 0, b""), State())
            for id in (f"c{n}" for n in range(CONVERSATIONS))
        }

    def take(self, n: int) -> None:
        id = f"c{n % CONVERSATIONS}"
        head, before = self._heads[id]
        self._last = time.perf_counter()
        events = turn(n)
        self._lap("make")
        asked = binary.checked(id, events)
        self._lap("check")
        decided, state = decide(id, before, asked, history=NoHistory(), now=0.0)
        self._lap("decide")
        commit = Commit(
            id, head.version + 1, before.event + 1, before.turn, 0.0, tuple(decided), f"k{n}"
        )
        body, after = binary.encode_commit(commit), binary.encode_state(state)
        self._lap("encode")
        row = Row(n + 1, id, commit.version, binary.TOPIC, commit.key, head.digest, body)
        digest = row.digest()
        self._lap("chain")
        head = Head(id, row.version, row.position, digest, state.event, state.turn, 0, after)
        with self.store.transaction() as transaction:
            self._lap("begin")
            transaction.append([row])
            self._lap("append")
            transaction.put_heads([head])
            self._lap("head")
        self._lap("commit")
        self._heads[id] = head, state

    def _lap(self, step: str) -> None:
        now = time.perf_counter()
        self.took[step].append(1e6 * (now - self._last))
        self._last = time.perf_counter()
