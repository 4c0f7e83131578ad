"""SQLite and PostgreSQL agree, step for step, with the log in memory (30)."""

from __future__ import annotations

import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, run_state_machine_as_test

import turnlog
from tests.parts import postgres
from tests.parts.server import Server
from turnlog.domain.streams import UPKEEP
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Request
from turnlog.testing.machine import LogMachine

LONG = os.environ.get("TURNLOG_FAULTS") == "long"


def run(machine: type[LogMachine], steps: int, *, length: int) -> None:
    """Run after run of up to `length` steps, until there were as many as asked for."""
    chosen = settings(
        max_examples=10,
        stateful_step_count=length,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    before = -1
    while before < machine.steps < steps:
        before = machine.steps
        run_state_machine_as_test(machine, settings=chosen)  # type: ignore[no-untyped-call]
    assert machine.steps >= steps, "a run took no step at all"
    print(f"{machine.steps} steps")


class SqliteMachine(LogMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="turnlog-machine-")

    def open(self) -> Turnlog:
        url = f"sqlite:///{self.folder}/log.db?synchronous=OFF"
        return turnlog.open(url, clock=self.tick)

    def discard(self) -> None:
        shutil.rmtree(self.folder)


class SealedMachine(SqliteMachine):
    """A sealed log does the same as one in memory that begins with the same row."""

    def open(self) -> Turnlog:
        url = f"sqlite:///{self.folder}/log.db?synchronous=OFF"
        return turnlog.open(url, clock=self.tick, keys=f"sqlite:///{self.folder}/keys.db")

    @initialize()
    def start(self) -> None:
        super().start()
        assert self.log.keys is not None
        used = turnlog.KeyStoreUsed(self.log.keys.id.hex())
        self.model.writer.perform(Request(UPKEEP, lambda state, past: (used,), 0.0, 0.0))


def test_a_sealed_log_agrees_with_memory() -> None:
    run(SealedMachine, 10_000 if LONG else 1_500, length=100 if LONG else 50)


def test_sqlite_agrees_with_memory() -> None:
    run(SqliteMachine, 10_000, length=100)


def test_postgresql_agrees_with_memory(postgres: Server) -> None:
    run(machine_on(postgres), 10_000 if LONG else 150, length=100 if LONG else 30)


def machine_on(server: Server) -> type[LogMachine]:
    class PostgresMachine(LogMachine):
        def __init__(self) -> None:
            super().__init__()
            self.url = postgres.fresh_database(server.url)

        def open(self) -> Turnlog:
            return turnlog.open(self.url, clock=self.tick)

        def discard(self) -> None:
            postgres.drop_database(self.url)

    return PostgresMachine
