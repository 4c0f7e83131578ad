"""Where the time of one turn goes: the steps of a commit, each timed separately."""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from scripts.benchmarks.figures import Figure
from scripts.benchmarks.sides import Floor, Ours, turn
from turnlog.domain.commit import Commit
from turnlog.domain.decide import decide
from turnlog.domain.history import NoHistory
from turnlog.domain.state import State
from turnlog.encoding.checking import checked
from turnlog.encoding.rows import SALT_BYTES, columns, digest
from turnlog.projections.live_head import LiveHead
from turnlog.storage.lookups import key_lookup
from turnlog.storage.rows import Key, Row, Stream
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
    "check": "types, values and sizes; a copy that no other code can change",
    "decide": "what is recorded, and the state after it",
    "encode": "the commit as bytes, and a commitment for each event",
    "chain": "SHA-256 of the row",
    "key": "HMAC of the idempotency key",
    "append": "one INSERT, which is its transaction, and a look at the files",
    "rest": "request, lock, batch, cache: what of the whole is not above",
}


def _whole(folder: Path, turns: int) -> tuple[float, float]:
    """Microseconds of a turn by `log.record` and on the floor, alternating."""
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
    """The writer's work for a turn, step by step. took: microseconds by step."""

    def __init__(self, folder: Path) -> None:
        self.took: dict[str, list[float]] = defaultdict(list)
        self.store = SqliteRecorder(str(folder / "steps.db"), synchronous="NORMAL")
        self._last = time.perf_counter()
        genesis = self.store.genesis.digest
        names = [f"c{n}" for n in range(CONVERSATIONS)]
        streams = [Stream.of(name, 1, genesis, os.urandom) for name in names]
        with self.store.transaction() as transaction:
            transaction.append((), streams)
        self._heads = {
            name: LiveHead(name, stream.stream, stream.owner, 1, 0, 0, genesis, 0, State())
            for name, stream in zip(names, streams, strict=True)
        }

    def take(self, n: int) -> None:
        id = f"c{n % CONVERSATIONS}"
        head = self._heads[id]
        self._last = time.perf_counter()
        events = turn(n)
        self._lap("make")
        asked = checked(id, events)
        self._lap("check")
        decided, state = decide(id, head.state, asked, history=NoHistory(), now=0.0)
        self._lap("decide")
        commit = Commit(
            id, head.version + 1, head.event + 1, head.turn, 0.0, tuple(decided), f"k{n}"
        )
        made = columns(commit, os.urandom(SALT_BYTES))
        self._lap("encode")
        row = Row(
            n + 1, head.stream, commit.version, made.topic, head.digest, made.skeleton, b"",
            made.parts, head.owner, None, 1,
        )  # fmt: skip
        sealed = digest(
            head.owner, row.version, row.topic, row.previous, row.skeleton, made.commitments
        )
        self._lap("chain")
        key = Key(key_lookup(self.store.genesis.secret, id, f"k{n}"), n + 1)
        self._lap("key")
        self.store.append([row], [], [key])
        self._lap("append")
        self._heads[id] = LiveHead(
            id, head.stream, head.owner, 1, row.version, row.position, sealed, 0, state
        )

    def _lap(self, step: str) -> None:
        now = time.perf_counter()
        self.took[step].append(1e6 * (now - self._last))
        self._last = time.perf_counter()
