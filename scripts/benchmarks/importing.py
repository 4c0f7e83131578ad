"""The cost of an import: each kind of corpus, several processes, and memory.

theirs, of a corpus, is an earlier version: the checkout that TURNLOG_BASE names. The corpora are in
the folder that TURNLOG_CORPORA names; the JSON lines are an export of all of them.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import turnlog
from scripts.benchmarks.figures import Figure, at_least, interleaved, seconds
from scripts.benchmarks.sides import EVENTS_A_TURN, turn
from turnlog.engine.importing import import_files
from turnlog.serializers.formats import codec

TURNS = 50
"""Turns of each conversation in the file."""


ROOT = Path(__file__).parents[2]
CORPORA = {
    "sgd": ("sgd/train/dialogues_subset.json",),
    "multiwoz": ("multiwoz21/val_subset.json",),
    "tau": ("tau_bench", "tau2_bench"),
}


def figures(*, quick: bool) -> Iterator[Figure]:
    given = Path(os.environ.get("TURNLOG_CORPORA", ROOT.parent / "shared" / "data"))
    corpora = {name: [given / path for path in paths] for name, paths in CORPORA.items()}
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        folder = Path(name)
        corpora["jsonl"] = [_lines(folder, [path for each in corpora.values() for path in each])]
        for corpus, paths in corpora.items():
            yield _rate(f"import_{corpus}", paths, 3 if quick else 7)
        yield _jobs(folder, 50_000 if quick else 500_000)


def _lines(folder: Path, paths: list[Path]) -> Path:
    """The conversations of files as JSON lines."""
    jsonl, out = codec("jsonl"), folder / "all.jsonl"
    with turnlog.open(f"sqlite:///{folder}/all.db?synchronous=OFF") as log, out.open("wb") as file:
        assert not import_files(log, paths).refused
        for id in log.ids():
            dialogue = turnlog.Dialogue(id, tuple(log.history(id).events()))
            jsonl.write(jsonl.examples(dialogue), file)
    return out


def _rate(name: str, paths: list[Path], times: int) -> Figure:
    base = os.environ.get("TURNLOG_BASE")
    versions = {"ours": str(ROOT)} | ({"theirs": base} if base else {})
    runs = {side: partial(_events_a_second, path, paths) for side, path in versions.items()}
    taken, unit = interleaved(runs, times), "events/s of CPU"
    if not base:
        return Figure(name, taken["ours"], None, unit, None)
    return at_least(name, taken["ours"], taken["theirs"], unit, least=3)


def _events_a_second(version: str, paths: list[Path]) -> float:
    """The best of three imports by a version's checkout, in a separate process."""
    script = Path(__file__).with_name("import_rate.py")
    done = subprocess.run(
        [sys.executable, "-P", script, "3", *paths],
        env={**os.environ, "PYTHONPATH": version}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


def _jobs(folder: Path, events: int) -> Figure:
    """Two processes that read and one that writes, against one that does both, in
    wall-clock time.
    """
    path = folder / "many.jsonl"
    write(path, events // (EVENTS_A_TURN * TURNS))

    def imported(jobs: int) -> None:
        with turnlog.open(f"sqlite:///{folder}/{jobs}.db?synchronous=OFF") as log:
            assert not import_files(log, [path], jobs=jobs).refused

    one, two = (seconds(partial(imported, jobs)) for jobs in (1, 2))
    return Figure("import_jobs_2", events / two, events / one, "events/s", one / two)


def peak_megabytes(folder: Path, events: int) -> float:
    """Highest memory of a process that imports a file of so many events."""
    path = folder / f"{events}.jsonl"
    write(path, events // (EVENTS_A_TURN * TURNS))
    command = [sys.executable, "-m", __name__, str(path)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def write(path: Path, conversations: int) -> None:
    jsonl = codec("jsonl")
    events = tuple(event for n in range(TURNS) for event in turn(n))
    dialogues = (turnlog.Dialogue(f"c{number}", events) for number in range(conversations))
    with path.open("wb") as out:
        jsonl.write((e for dialogue in dialogues for e in jsonl.examples(dialogue)), out)


if __name__ == "__main__":
    given = Path(sys.argv[1])
    with turnlog.open(f"sqlite:///{given.with_suffix('.db')}?synchronous=NORMAL") as log:
        assert not import_files(log, [given]).refused
    # getrusage would also count what the parent held when this process was begun.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    print(int(peak[1]) / 1024)
