"""SQLite and PostgreSQL agree, step for step, with the log in memory (30)."""

from __future__ import annotations

import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

import turnlog
from tests.parts import postgres
from tests.parts.server import Server
from turnlog.engine.log import Turnlog
from turnlog.testing.machine import LogMachine

LONG = os.environ.get("TURNLOG_FAULTS") == "long"


def run(machine: type[LogMachine], examples: int, steps: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[no-untyped-call]
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


def test_sqlite_agrees_with_memory() -> None:
    run(SqliteMachine, 130, 100)
    assert SqliteMachine.steps >= 10_000


def test_postgresql_agrees_with_memory(postgres: Server) -> None:
    machine = machine_on(postgres)
    run(machine, *((150, 100) if LONG else (6, 30)))
    assert machine.steps >= (10_000 if LONG else 50)


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
