"""A process that records into a sealed log and ends, as by kill -9, before its n-th statement.

python -m tests.faults.sealing POINT URL KEYS NAME

A statement goes to the log or to its key store. With POINT 0 the process runs to its end and prints
the number of statements on stderr. NAME: the name in the recorded text, so that tests find it.
"""

from __future__ import annotations

import os
import sys

import turnlog
from tests.faults.killing import kill_at, tables_follow_closely, watched
from turnlog import UserIdentified, UserUttered


def record(url: str, keys: str, name: str) -> None:
    """New people in new conversations; each key goes to stdout once it is acknowledged."""
    with turnlog.open(url, keys=keys) as log:
        for n in range(6):
            events = UserIdentified(f"person {n}"), UserUttered(f"{name} {n}")
            log.record(f"chat {n % 4}", *events, key=f"{name} {n}")
            os.write(1, f"{name} {n}\n".encode())


def main(point: int, url: str, keys: str, name: str) -> None:
    tables_follow_closely()
    if point:
        kill_at(point)
        record(url, keys, name)
        return
    seen: list[None] = []
    watched(lambda: seen.append(None))
    record(url, keys, name)
    print("points", len(seen), file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
