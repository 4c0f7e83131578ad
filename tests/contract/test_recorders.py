"""Every back end keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from turnlog.keys.recorder import SealedRecorder
from turnlog.keys.urls import key_store
from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.recorder import Recorder
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.urls import recorder
from turnlog.testing.recorders import RecorderContract


class TestMemory(RecorderContract):
    outlives = False

    def create(self) -> Recorder:
        return MemoryRecorder()


class TestSqlite(RecorderContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "log.db"

    def create(self) -> Recorder:
        return SqliteRecorder(str(self.path))

    reopen = create


class TestPostgres(RecorderContract):
    @pytest.fixture(autouse=True)
    def _database(self, postgres_url: str) -> None:
        self.url = postgres_url

    def create(self) -> Recorder:
        return recorder(self.url)

    reopen = create


class TestSealedMemory(RecorderContract):
    outlives = False

    def create(self) -> Recorder:
        return SealedRecorder(MemoryRecorder(), key_store("memory:", create=True))


class TestSealedSqlite(RecorderContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path

    def create(self) -> Recorder:
        keys = key_store(f"sqlite:///{self.path}/keys.db", create=True)
        return SealedRecorder(SqliteRecorder(f"{self.path}/log.db"), keys)

    reopen = create


class TestSealedPostgres(RecorderContract):
    """With its keys in the same database, for a test alone."""

    @pytest.fixture(autouse=True)
    def _database(self, postgres_url: str) -> None:
        self.url = postgres_url

    def create(self) -> Recorder:
        return SealedRecorder(recorder(self.url), key_store(self.url, create=True))

    reopen = create
