"""One log on PostgreSQL, written by 1, 2 and 4 processes, against plain INSERT and COMMIT."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from typing import Protocol

import turnlog
from scripts.benchmarks.figures import Figure, at_least, interleaved, seconds_raw
from scripts.benchmarks.sides import Ours, turn
from turnlog.encoding import binary
from turnlog.storage.urls import recorder

GROUP = 32
CONVERSATIONS = 20
"""Of each process."""

PROCESSES = (1, 2, 4)
DURABLE = {"fsync": "on", "full_page_writes": "on"}


def figures(*, quick: bool) -> Iterator[Figure]:
    try:
        from tests.parts import PartMissing, postgres
    except ImportError:
        return
    os.environ.setdefault("TMPDIR", tempfile.gettempdir())
    try:
        with postgres.running(DURABLE) as server:
            ours, floor = (postgres.fresh_database(server.url) for _ in "12")
            yield from _compared(Team(Postgres, ours), Team(PostgresFloor, floor), quick)
    except PartMissing:
        return


def _compared(ours: Team, floor: Team, quick: bool) -> Iterator[Figure]:
    turns = 250
    runs = {
        f"{name}{count}": partial(team.rate, count, turns)
        for name, team in (("ours", ours), ("floor", floor))
        for count in PROCESSES
    }
    runs["group"] = partial(ours.rate, 1, 30, group=GROUP)
    taken = interleaved(runs, 7 if quick else 21)
    for team in (ours, floor):
        team.close()
    unit = "turns/s, fsync on"
    for count in PROCESSES:
        name = f"pg_append_vs_floor_{count}"
        yield at_least(name, taken[f"ours{count}"], taken[f"floor{count}"], unit, least=0.8)
    yield at_least("pg_group32_vs_floor", taken["group"], taken["floor1"], unit, least=8)


class Side(Protocol):
    """Writes turns of the conversations from `first` on."""

    def append(self, conversation: int, n: int) -> None: ...

    def append_group(self, first: int, count: int) -> None: ...

    def level(self) -> None: ...

    def close(self) -> None: ...


class Postgres(Ours):
    def __init__(self, url: str) -> None:
        self.log = turnlog.Turnlog(recorder(url))
        self._keys = itertools.count(os.getpid() << 32)


class PostgresFloor:
    """One row a turn, INSERT and then COMMIT, on one kept connection: nothing else."""

    def __init__(self, url: str) -> None:
        import psycopg

        self.connection = psycopg.connect(url)
        self.connection.execute("SELECT pg_advisory_xact_lock(1)")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS turns"
            " (id bigserial PRIMARY KEY, conversation text, n bigint, body bytea)"
        )
        self.connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_n ON turns (conversation, n)")
        self.connection.commit()
        self._versions = itertools.count()

    def append(self, conversation: int, n: int) -> None:
        self.connection.execute(
            "INSERT INTO turns (conversation, n, body) VALUES (%s, %s, %s)",
            (f"c{conversation}", next(self._versions), binary.encode(turn(n))),
        )
        self.connection.commit()

    def append_group(self, first: int, count: int) -> None:
        raise NotImplementedError

    def level(self) -> None:
        """Nothing is derived."""

    def close(self) -> None:
        self.connection.close()


class Team:
    """Concurrent processes, each with its own conversations; begins with so many of the
    first ones.
    """

    def __init__(self, side: type[Side], url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._members = []
        for number in range(max(PROCESSES)):
            mine, its = context.Pipe()
            arguments = (side, url, number * CONVERSATIONS, its)
            process = context.Process(target=_write, args=arguments, daemon=True)
            process.start()
            mine.recv()
            self._members.append((process, mine))

    def rate(self, count: int, turns: int, group: int = 1) -> float:
        """Turns a second of so many processes, until the derived tables are level."""
        return count * turns * group / seconds_raw(lambda: self._work(count, turns, group))

    def _work(self, count: int, turns: int, group: int) -> None:
        pipes = [pipe for _, pipe in self._members[:count]]
        for pipe in pipes:
            pipe.send((turns, group))
        for pipe in pipes:
            pipe.recv()
        pipes[0].send((0, 0))
        pipes[0].recv()

    def close(self) -> None:
        for process, pipe in self._members:
            pipe.send(None)
            process.join()


def _write(side: type[Side], url: str, first: int, pipe: Connection) -> None:
    """A member: turns and group as they are asked for, the tables made level for no turns."""
    writes = side(url)
    for n in range(CONVERSATIONS):
        writes.append(first + n, n)
    pipe.send(None)
    while (asked := pipe.recv()) is not None:
        turns, group = asked
        for n in range(turns):
            if group == 1:
                writes.append(first + n % CONVERSATIONS, n)
            else:
                writes.append_group(first, group)
        if not turns:
            writes.level()
        pipe.send(None)
    writes.close()
