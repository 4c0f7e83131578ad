"""A process that ends, as by kill -9, just before its n-th point.

python -m tests.faults.killing POINT append|attach|catch-up|COMMAND URL [ARGUMENT…]

A point is a statement to the database, or a file that is renamed or removed. With POINT 0 it runs
to its end, and prints the number of points on stderr. COMMAND is one of turnlog's.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from io import BytesIO
from itertools import count
from typing import Any

import turnlog
from turnlog import MediaAdded, SlotSet, UserUttered
from turnlog.cli import main as command
from turnlog.engine import writer
from turnlog.projections import PROJECTIONS, live_head, tail
from turnlog.projections.projection import catch_up
from turnlog.storage.postgres_connection import Connection

KEYS = 40
FILMS = 4
SNAPSHOT_EVERY = 5
FILES = {"os.rename", "os.remove"}


def tables_follow_closely() -> None:
    """So that a short run goes through everything that long ones do."""
    live_head.SNAPSHOT_EVERY = SNAPSHOT_EVERY
    tail.BEHIND_ROWS = 10
    writer.BATCH_REQUESTS = 2


def append(url: str) -> None:
    """Record under keys, each of which goes to stdout once it is acknowledged."""
    with turnlog.open(url) as log:
        for n in range(KEYS):
            log.record(f"c{n % 3}", UserUttered(f"text {n}"), SlotSet("n", n), key=f"key {n}")
            os.write(1, f"key {n}\n".encode())


def attach(url: str) -> None:
    """Attach a file, to a conversation or before one begins, then record it under a key."""
    with turnlog.open(url) as log:
        for n in range(FILMS):
            id, key = "anna" if n % 2 else f"new{n}", f"film {n}"
            shown = MediaAdded("video", content=log.attach(id, BytesIO(film(n))), actor="user")
            log.record(id, UserUttered(key), shown, key=key)
            os.write(1, f"{key}\n".encode())
        whole = MediaAdded("video", content=film(FILMS), actor="user")
        log.record("ben", UserUttered("whole"), whole, key=f"film {FILMS}")
        os.write(1, f"film {FILMS}\n".encode())


def film(n: int) -> bytes:
    """More than is written in one transaction, and not a whole number of chunks."""
    return b"%08d" % n * 160_000 + b"!"


def catch_up_all(url: str) -> None:
    with turnlog.open(url) as log:
        log.current.catch_up()
        catch_up(log.store, PROJECTIONS.values(), batch=20)


TASKS: dict[str, Callable[[str], None]] = {
    "append": append, "attach": attach, "catch-up": catch_up_all,
}  # fmt: skip


def run(task: str, url: str, arguments: Sequence[str]) -> int:
    if task in TASKS:
        TASKS[task](url)
        return 0
    try:
        command([task, "--json", "--db", url, *arguments])
    except SystemExit as exited:
        return int(exited.code or 0)
    return 0


def watched(reached: Callable[[], None], files: set[str] = FILES) -> None:
    """Call `reached` before every statement, and every audited event of these names."""
    connect, ask = sqlite3.connect, Connection.ask

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda _: reached())
        return connection

    def asked(self: Connection, *arguments: Any) -> Any:
        reached()
        return ask(self, *arguments)

    sqlite3.connect = connected
    Connection.ask = asked  # type: ignore[method-assign]
    sys.addaudithook(lambda event, _: reached() if event in files else None)


def kill_at(point: int, files: set[str] = FILES) -> None:
    """Have this process end just before it reaches its n-th point."""
    points = count(1)

    def reached() -> None:
        if next(points) == point:
            os.kill(os.getpid(), signal.SIGKILL)

    watched(reached, files)


def main(point: int, task: str, url: str, *arguments: str) -> int:
    tables_follow_closely()
    if point:
        kill_at(point)
        return run(task, url, arguments)
    seen: list[None] = []
    watched(lambda: seen.append(None))
    status = run(task, url, arguments)
    print("points", len(seen), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
