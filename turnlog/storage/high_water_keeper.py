"""What keeps the high-water file of an open log close behind its commits."""

from __future__ import annotations

import logging
import threading
import time

from turnlog.errors import Unavailable
from turnlog.storage.high_water import HighWater, HighWaterFile
from turnlog.storage.rows import Row
from turnlog.storage.sqlite_files import OpenFiles

logger = logging.getLogger(__name__)

BEHIND_ROWS = 64
BEHIND_SECONDS = 1.0
"""How far the file may be behind what was acknowledged, before a process is killed."""


class HighWaterKeeper:
    """Writes at a bound of rows and of seconds, and on close; a commit never fails for it."""

    def __init__(self, file: HighWaterFile, files: OpenFiles) -> None:
        self._file = file
        self._files = files
        self._writing = threading.Lock()
        self._newest: Row | None = None  # where it is not written yet
        self._tried = -BEHIND_ROWS
        self._due = 0.0
        self._timer: threading.Timer | None = None
        self._warned = False

    def note(self, row: Row) -> None:
        """Take over a row that was committed; one thread at a time, in the order of positions."""
        self._newest = row
        if row.position - self._tried >= BEHIND_ROWS or time.monotonic() >= self._due:
            self.flush()
        elif self._timer is None:
            self._flush_later()

    def flush(self) -> None:
        """Write what is not written yet."""
        with self._writing:
            if (row := self._newest) is None:
                return
            self._tried, self._due = row.position, time.monotonic() + BEHIND_SECONDS
            if self.vouch(HighWater.of(row)) and self._newest is row:
                self._newest = None

    def vouch(self, mark: HighWater) -> bool:
        """Whether a mark could be written."""
        try:
            self._files.check()  # else it would vouch for a file that is elsewhere
            self._file.advance(mark)
        except (OSError, Unavailable) as error:
            if not self._warned:
                logger.warning("nothing vouches for the end of the log: %s", error)
            self._warned = True
            return False
        return True

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.flush()

    def _flush_later(self) -> None:
        timer = threading.Timer(BEHIND_SECONDS, self._flush_now)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no more threads, or the interpreter ends
            return
        self._timer = timer

    def _flush_now(self) -> None:
        self._timer = None
        self.flush()
