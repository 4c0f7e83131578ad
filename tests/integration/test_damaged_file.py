"""A SQLite log whose file SQLite finds damaged acknowledges nothing more."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import turnlog
from turnlog import UserUttered
from turnlog.errors import Corrupt

PAGE = 4096


def damage_heads(path: Path) -> None:
    """Overwrite the first leaf of the heads: the first conversations cannot be found any more."""
    with closing(sqlite3.connect(path)) as connection:
        root = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'heads'"
        ).fetchone()[0]
    content = bytearray(path.read_bytes())
    first_cell = int.from_bytes(content[(root - 1) * PAGE + 12 : (root - 1) * PAGE + 14])
    start = (root - 1) * PAGE + first_cell
    leaf = int.from_bytes(content[start : start + 4])
    content[(leaf - 1) * PAGE : leaf * PAGE] = b"\xff" * PAGE
    path.write_bytes(content)


def test_after_damage_is_found_nothing_is_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        for number in range(200):
            log.record(f"c{number:03}", UserUttered("x" * 500))
    damage_heads(path)
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("c199", UserUttered("before it is noticed"))
        for conversation in ("c000", "c199", "new"):
            with pytest.raises(Corrupt):
                log.record(conversation, UserUttered("hello"))
