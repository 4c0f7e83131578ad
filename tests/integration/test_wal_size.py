"""The write-ahead log of a SQLite log shrinks again after a long read."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from turnlog import UserUttered
from turnlog.storage import sqlite


def test_the_wal_is_truncated_when_a_snapshot_is_released(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT_PAGES", 50)
    limit = 50 * 4096
    wal = tmp_path / "log.db-wal"
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}?synchronous=OFF") as log:
        log.record("alice", UserUttered("hello"))
        with log.store.scan() as scan:
            scan.last_position()
            for _ in range(200):
                log.record("alice", UserUttered("x" * 4000))
            assert wal.stat().st_size > 4 * limit
        for _ in range(20):
            log.record("alice", UserUttered("on"))
        assert wal.stat().st_size <= limit
