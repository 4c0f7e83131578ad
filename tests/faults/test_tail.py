"""Following PostgreSQL under writers that dawdle and roll back misses nothing (3)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg

from tests.faults.conftest import LONG
from turnlog.storage.recorder import Recorder
from turnlog.storage.urls import recorder
from turnlog.testing.recorders.samples import row, stream

WRITERS = 6
SECONDS = 15.0 if LONG else 2.0


class Undone(Exception):
    pass


def followed(
    write: Callable[[int, random.Random], None], read: Callable[[int], list[int]]
) -> list[int]:
    """The positions that a follower reads, continuing from the last, while the writers write."""
    stopping = threading.Event()

    def work(number: int) -> None:
        chance = random.Random(number)
        while not stopping.is_set():
            with suppress(Undone):
                write(number, chance)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        seen += read(seen[-1] if seen else 0)
    stopping.set()
    for thread in threads:
        thread.join()
    while more := read(seen[-1] if seen else 0):
        seen += more
    return seen


def test_a_follower_gets_every_row_once_and_in_order(postgres_url: str) -> None:
    logs: list[Recorder] = [recorder(postgres_url) for _ in range(WRITERS + 1)]

    def write(number: int, chance: random.Random) -> None:
        with logs[number].transaction() as transaction:
            last = transaction.last_position()
            rows = [row(last + n, f"{number}", last + n) for n in range(1, chance.randint(2, 4))]
            begun = [] if transaction.stream(f"{number}") else [stream(f"{number}")]
            transaction.append(rows, begun)
            time.sleep(chance.choice((0, 0, 0.001, 0.01)))
            if chance.random() < 0.2:
                raise Undone

    def read(after: int) -> list[int]:
        return [found.position for found in logs[-1].reader.tail(after, 50)]

    seen = followed(write, read)
    stored = [found.position for found in logs[-1].reader.tail(0, 10**6)]
    for log in logs:
        log.close()
    assert len(stored) > 100
    assert seen == stored == list(range(1, len(stored) + 1))


def test_the_same_follower_misses_rows_of_a_plain_bigserial(postgres_url: str) -> None:
    """Else the test above would prove nothing."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE plain (id bigserial PRIMARY KEY)")
    connections = [psycopg.connect(postgres_url, autocommit=True) for _ in range(WRITERS + 1)]

    def write(number: int, chance: random.Random) -> None:
        with connections[number].transaction():
            connections[number].execute("INSERT INTO plain DEFAULT VALUES")
            time.sleep(chance.choice((0, 0, 0.001, 0.01)))
            if chance.random() < 0.2:
                raise Undone

    def read(after: int) -> list[int]:
        found = connections[-1].execute("SELECT id FROM plain WHERE id > %s ORDER BY id", (after,))
        return [id for (id,) in found]

    seen = followed(write, read)
    stored = [id for (id,) in connections[-1].execute("SELECT id FROM plain ORDER BY id")]
    for connection in connections:
        connection.close()
    assert len(seen) < len(stored)
