"""The bridge over every back end is a recorder of eventsourcing's, by its own test cases."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any
from unittest import TestCase
from uuid import uuid4

import pytest
from eventsourcing.tests import persistence as cases

from turnlog.engine.eventsourcing import StoredEventRecorder
from turnlog.keys.recorder import SealedRecorder
from turnlog.keys.urls import key_store
from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.recorder import Recorder
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.urls import recorder


class OnMemory(TestCase):
    def create_recorder(self) -> StoredEventRecorder:
        return self.over(MemoryRecorder())

    def over(self, opened: Recorder) -> StoredEventRecorder:
        self.addCleanup(opened.close)
        return StoredEventRecorder(opened)

    def new_originator_id(self) -> str:
        return str(uuid4())

    def construct_recorder(self) -> StoredEventRecorder:
        return self.create_recorder()


class OnSqlite(OnMemory):
    def create_recorder(self) -> StoredEventRecorder:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return self.over(SqliteRecorder(f"{folder.name}/log.db"))


class OnSealed(OnMemory):
    def create_recorder(self) -> StoredEventRecorder:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        keys = key_store(f"sqlite:///{folder.name}/keys.db", create=True)
        return self.over(SealedRecorder(SqliteRecorder(f"{folder.name}/log.db"), keys))


class OnPostgres(OnMemory):
    @pytest.fixture(autouse=True)
    def _database(self, postgres_url: str) -> None:
        self.url = postgres_url

    def create_recorder(self) -> StoredEventRecorder:
        return self.over(recorder(self.url))


class Application(cases.ApplicationRecorderTestCase):  # type: ignore[type-arg]
    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


CASES: list[Any] = [
    Application,
    cases.TrackingRecorderTestCase,
    cases.ProcessRecorderTestCase,
    cases.NonInterleavingNotificationIDsBaseCase,
]
PLACES: list[Callable[..., Any]] = [OnMemory, OnSqlite, OnSealed, OnPostgres]

for case in CASES:
    for place in PLACES:
        name = f"Test{case.__name__.removesuffix('TestCase')}{place.__name__}"
        globals()[name] = type(name, (place, case), {"__test__": True})  # type: ignore[arg-type]
del case, name, place, Application, OnMemory, OnSqlite, OnSealed, OnPostgres
