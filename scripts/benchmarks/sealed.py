"""Appending to and reading a sealed log, against one in clear."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from scripts.benchmarks.figures import Figure, at_least, below, interleaved, seconds
from scripts.benchmarks.sides import Ours, size
from turnlog.domain.subjects import PERSON, UNIDENTIFIED, Subject

CONVERSATIONS = 32
PERSONS = 100_000
NOTE = "one AES-GCM-SIV, a look at the key store, and 32 bytes stored for each event"


def figures(*, quick: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        folder = Path(name)
        times = 7 if quick else 31
        yield from _appends(folder, "NORMAL", turns=500, times=times)
        yield from _appends(folder, "FULL", turns=100, times=times)
        yield _destroyed(folder, PERSONS // 20 if quick else PERSONS)


def _appends(folder: Path, synchronous: str, *, turns: int, times: int) -> Iterator[Figure]:
    """Also by processor time, which other work does not change."""
    suffix = synchronous.lower()
    sealed = Ours(folder / f"sealed-{suffix}.db", synchronous, folder / f"keys-{suffix}.db")
    clear = Ours(folder / f"clear-{suffix}.db", synchronous)
    sides = {"ours": sealed, "theirs": clear}

    def appended(side: Ours, clock: Callable[[], float]) -> float:
        start = clock()
        for n in range(turns):
            side.append(n % CONVERSATIONS, n)
        side.level()
        return turns / (clock() - start)

    for what, clock in (("", time.perf_counter), ("_cpu", time.process_time)):
        runs = {name: partial(appended, side, clock) for name, side in sides.items()}
        taken = interleaved(runs, times)
        unit = f"turns/s, {synchronous}"
        named = f"append_sealed_{suffix}{what}"
        yield replace(at_least(named, taken["ours"], taken["theirs"], unit, least=0.8), note=NOTE)
    if synchronous == "NORMAL":
        reads = {name: partial(seconds, partial(side.replay, 0)) for name, side in sides.items()}
        taken = interleaved(reads, times)
        ours, theirs = taken["ours"], taken["theirs"]
        yield Figure("replay_sealed", ours, theirs, "s", ours / theirs)
    for side in sides.values():
        side.close()
    if synchronous == "NORMAL":
        ours, theirs = size(sealed.path), size(clear.path)
        yield Figure("bytes_sealed", ours, theirs, "bytes", ours / theirs)


def _destroyed(folder: Path, persons: int) -> Figure:
    """Until the keys of one of many people are durably gone; the slowest of 20."""
    from turnlog.keys.urls import key_store

    store = key_store(f"sqlite:///{folder}/many.db", create=True)
    unidentified = Subject(UNIDENTIFIED)
    for first in range(0, persons, 1000):
        people = range(first, first + 1000)
        store.made({f"chat {n}": [unidentified, Subject(PERSON, f"person {n}")] for n in people})

    def gone(number: int) -> None:
        store.destroy(store.subjects_of(f"person {number}"))

    took = [seconds(partial(gone, n)) * 1000 for n in range(0, persons, persons // 20)]
    store.close()
    return below("destroy_one_of_many", max(took), "ms", most=50, note=f"{persons:,} people")
