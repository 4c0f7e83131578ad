"""Put a backup over copies of a log, killed at each point: python -m tests.faults.replacing

Arguments: the folder of the log's files, the backup, and a folder for one copy for each point. A
point is a file that is opened, renamed or removed, or an SQL statement. The last copy is the one
that was not killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from itertools import count
from pathlib import Path
from typing import Any

from turnlog.storage.replacing import restore_over

POINTS = {"open", "os.rename", "os.remove", "sqlite3.connect"}


def replace_each(files: Path, backup: Path, copies: Path) -> None:
    for point in count(1):
        copy = copies / f"{point:04}"
        shutil.copytree(files, copy)
        child = os.fork()
        if not child:
            kill_at(point)
            restore_over(backup, copy / "log.db")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return


def kill_at(point: int) -> None:
    """Have this process end, as by kill -9, just before it comes to its n-th point."""
    points = count(1)

    def reached(*_: object) -> None:
        if next(points) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    connect = sqlite3.connect

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(reached)
        return connection

    sqlite3.connect = connected
    sys.addaudithook(lambda event, arguments: reached() if event in POINTS else None)


if __name__ == "__main__":
    replace_each(*map(Path, sys.argv[1:]))
