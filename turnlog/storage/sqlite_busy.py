"""Asking SQLite for what another process holds."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

BUSY_PAUSE = (0.0005, 0.002)
"""Seconds between two looks whether another process still writes."""


def insist(
    cursor: sqlite3.Cursor, statement: str, parameters: Sequence[Any] = (), *, timeout: float
) -> int:
    """Run a statement again at short uneven times while the database is busy; how many rows.

    timeout: seconds. Some statements, such as a change of the journal's mode, never ask SQLite's
    own busy handler.
    """
    until: float | None = None
    while True:
        try:
            cursor.execute(statement, parameters).fetchall()  # unread rows keep a lock
            return cursor.rowcount
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            until = until or time.monotonic() + timeout
            if time.monotonic() > until:
                raise
        time.sleep(random.uniform(*BUSY_PAUSE))
