"""A process that records until it is killed: python -m tests.faults.worker TASK URL [ARGUMENT…]"""

from __future__ import annotations

import os
import sys
import threading
import time

import turnlog
from turnlog import SlotSet, UserUttered


def crash(url: str, run: str, threads: str = "4") -> None:
    """Record for ever in several threads; each key goes to stdout once it is acknowledged."""
    log = turnlog.open(url)

    def work(number: int) -> None:
        for n in range(10**9):
            key = f"{run}-{number}-{n}"
            log.record(f"c{number}", UserUttered(key), SlotSet("n", n), key=key)
            os.write(1, f"{key}\n".encode())

    workers = [threading.Thread(target=work, args=(n,)) for n in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def crowd(url: str, number: str, start: str, seconds: str) -> None:
    """Record alone from `start` on; the time each commit took, in seconds, goes to stdout."""
    with turnlog.open(url) as log:
        time.sleep(max(0.0, float(start) - time.time()))
        until = time.time() + float(seconds)
        took = []
        while time.time() < until:
            begun = time.perf_counter()
            log.record(f"c{number}", UserUttered("hello"))
            took.append(time.perf_counter() - begun)
    print(*took, sep="\n")


def once(url: str, number: str, start: str = "0") -> None:
    """Open the log and record one message."""
    time.sleep(max(0.0, float(start) - time.time()))
    with turnlog.open(url) as log:
        log.record(f"c{number}", UserUttered("hello"), key=f"k{number}")


if __name__ == "__main__":
    {"crash": crash, "crowd": crowd, "once": once}[sys.argv[1]](*sys.argv[2:])
