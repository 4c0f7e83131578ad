"""Imports PATHs into a new log, COUNT times; prints events per second of processor time.

Run it by its path, with the version to measure first on the path of modules.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import turnlog
from turnlog.engine.importing import import_files


def rate(paths: list[Path]) -> float:
    with (
        tempfile.TemporaryDirectory(prefix="turnlog-bench-") as folder,
        turnlog.open(f"sqlite:///{folder}/log.db?synchronous=OFF") as log,
    ):
        start = time.process_time()
        events = import_files(log, paths).events
        return events / (time.process_time() - start)


if __name__ == "__main__":
    count, *given = sys.argv[1:]
    print(max(rate([Path(path) for path in given]) for _ in range(int(count))))
