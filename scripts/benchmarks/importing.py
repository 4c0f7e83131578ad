"""The memory that an import takes, measured in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import turnlog
from scripts.benchmarks.sides import EVENTS_A_TURN, turn
from turnlog.engine.importing import import_files
from turnlog.serializers.formats import codec

TURNS = 50
"""Turns of each conversation in the file."""


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
