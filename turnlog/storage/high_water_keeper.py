"""Keeps the high-water file of an open log close behind its commits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from turnlog.errors import StorageError, Unavailable
from turnlog.storage.high_water import HighWater, HighWaterFile
from turnlog.storage.reader import Reader
from turnlog.storage.rows import HEADS, Checkpoint, Row
from turnlog.storage.sqlite_files import OpenFiles

logger = logging.getLogger(__name__)

BEHIND_ROWS = 64
BEHIND_SECONDS = 1.0
"""The limits, in rows and seconds, by which the file may be behind acknowledged commits."""

LONGEST = 4_000
"""The number of rows in a mark after which heads brought up by others are looked for."""


class Writing(Reader, Protocol):
    """The log as its writer sees it, with the writer's lock."""

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """The writer's lock."""
        ...


class HighWaterKeeper:
    """Writes the file after a number of rows, after some seconds, and on close. A commit never
    fails for it.

    The caller holds the writer's lock.
    """

    def __init__(self, file: HighWaterFile, files: OpenFiles) -> None:
        self._file = file
        self._files = files
        self._rows: list[Row] = []  # not in the mark yet
        self._mark: HighWater | None = None
        self._written: HighWater | None = None
        self._due = 0.0
        self._timer: threading.Timer | None = None
        self._warned = False
        self._noted = False
        self._closed = False

    def note(self, log: Writing, rows: Sequence[Row], level: Checkpoint | None = None) -> None:
        """Notes committed rows, in the order of positions.

        level: the checkpoint of the heads, if the same transaction brought them up.
        """
        self._noted = True
        self._rows += rows
        if level is not None:
            self._begin_at(level)
        if len(self._rows) >= BEHIND_ROWS or time.monotonic() >= self._due:
            self.flush(log)
        elif self._timer is None:
            self._flush_later(log)

    def _begin_at(self, level: Checkpoint) -> None:
        """Begins a new mark at the heads; None to compute it again if rows are missing in them."""
        last = self._rows[-1].position if self._rows else self._mark and self._mark.position
        self._rows = []
        held = last == level.position and level.digest is not None
        self._mark = (
            HighWater(level.position, level.digest or b"", level.position) if held else None
        )

    def flush(self, log: Writing) -> None:
        """Writes the mark if it has changed."""
        self._due = time.monotonic() + BEHIND_SECONDS
        try:
            self._mark = mark = self._reached(log)
        except StorageError as error:
            self._mark = None
            self._warn(error)
            return
        finally:
            self._rows = []
        if mark != self._written and self.vouch(mark):
            self._written = mark

    def _reached(self, log: Writing) -> HighWater:
        """The mark after the noted rows, computed from them alone unless others wrote in
        between.
        """
        mark, rows = self._mark, self._rows
        if mark is None or (mark.position - mark.since > LONGEST and _is_level(log, mark)):
            return HighWater.now(log)
        if not rows or _follow(mark, rows):
            return mark.after(rows)
        return mark.through(log, rows[-1].position)

    def vouch(self, mark: HighWater) -> bool:
        """Writes a mark, and says whether it could."""
        try:
            self._files.check()  # a file moved elsewhere must not be vouched for
            self._file.advance(mark)
        except (OSError, Unavailable) as error:
            self._warn(error)
            return False
        return True

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            logger.warning("the end of the log cannot be verified: %s", error)
        self._warned = True

    def close(self, log: Writing) -> None:
        """Writes what is due and stops the timer."""
        if self._timer is not None:
            self._timer.cancel()
        if self._noted:
            self.flush(log)
        self._closed = True

    def _flush_later(self, log: Writing) -> None:
        timer = threading.Timer(BEHIND_SECONDS, self._flush_now, (log,))
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:  # no more threads, or the interpreter is shutting down
            return
        self._timer = timer

    def _flush_now(self, log: Writing) -> None:
        with log.lock:
            self._timer = None
            if not self._closed:
                self.flush(log)


def _is_level(log: Writing, mark: HighWater) -> bool:
    """Whether another process has brought the heads up meanwhile."""
    found = log.checkpoint(HEADS)
    return found is not None and found.position > mark.since


def _follow(mark: HighWater, rows: Sequence[Row]) -> bool:
    """Whether the rows directly follow the mark, without a gap."""
    first, last = rows[0].position, rows[-1].position
    return first == mark.position + 1 and last - first + 1 == len(rows)
