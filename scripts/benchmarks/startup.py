"""CPU time of short commands, against that of a Python that does nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import turnlog
from scripts.benchmarks.figures import Figure, at_most, interleaved

BUDGETS = {
    "startup_import": (["-c", "import turnlog"], 8),
    "startup_help": (["-m", "turnlog", "--help"], 10),
    "startup_list": (["-m", "turnlog", "list", "--db", "{db}"], 14),
}
"""Name of a figure: Python's arguments, and the most times bare Python that it may take."""

CONVERSATIONS = 10


def figures(*, quick: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as folder:
        db = f"sqlite:///{Path(folder) / 'log.db'}"
        with turnlog.open(db) as log:
            for number in range(CONVERSATIONS):
                log.record(f"c{number}", turnlog.UserUttered("hello"))
        asked = {
            name: [argument.format(db=db) for argument in arguments]
            for name, (arguments, _) in BUDGETS.items()
        }
        runs = {name: partial(_cpu, arguments) for name, arguments in asked.items()}
        taken = interleaved({"bare": partial(_cpu, ["-c", "pass"]), **runs}, 7 if quick else 21)
    for name, (_, most) in BUDGETS.items():
        yield at_most(name, 1000 * taken[name], 1000 * taken["bare"], "ms CPU", most=most)


def _cpu(arguments: list[str]) -> float:
    """Seconds of CPU that a Python takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
