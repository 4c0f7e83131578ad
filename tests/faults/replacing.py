"""Put a backup over copies of a log, killed at each point: python -m tests.faults.replacing

Arguments: the folder of the log's files, the backup, and a folder for one copy for each point. A
point is a file that is opened, renamed or removed, or an SQL statement. The last copy is the one
that was not killed.
"""

from __future__ import annotations

import os
import shutil
import sys
from itertools import count
from pathlib import Path

from tests.faults.killing import FILES, kill_at
from turnlog.storage.replacing import restore_over

POINTS = {*FILES, "open", "sqlite3.connect"}


def replace_each(files: Path, backup: Path, copies: Path) -> None:
    for point in count(1):
        copy = copies / f"{point:04}"
        shutil.copytree(files, copy)
        child = os.fork()
        if not child:
            kill_at(point, POINTS)
            restore_over(backup, copy / "log.db")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return


if __name__ == "__main__":
    replace_each(*map(Path, sys.argv[1:]))
