"""Retries SQLite statements while another process holds a lock."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Sequence
from typing import Any

BUSY_PAUSE = (0.0005, 0.002)
"""The range of seconds between two attempts."""


def insist(
    cursor: sqlite3.Cursor, statement: str, parameters: Sequence[Any] = (), *, timeout: float
) -> int:
    """Retries a statement at short uneven intervals while the database is busy; returns the number
    of rows.

    timeout: seconds. Some statements, such as a change of the journal's mode, never use SQLite's
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
