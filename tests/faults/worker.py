"""A process that records until it is killed: python -m tests.faults.worker TASK URL [ARGUMENT…]"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import turnlog
from tests.faults.reading import read
from turnlog import SlotSet, UserUttered
from turnlog.projections import tail


def crash(url: str, run: str, threads: str = "4", behind: str = "1000") -> None:
    """Record forever in several threads; each key goes to stdout once it is acknowledged.

    behind: rows after which it updates the derived tables.
    """
    tail.BEHIND_ROWS = int(behind)
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


def repeat(url: str, number: str, start: str) -> None:
    """Record a message that others record too, with an event of this process, and both again."""
    with turnlog.open(url) as log:
        time.sleep(max(0.0, float(start) - time.time()))
        for turn in range(20):
            said = UserUttered("hello", message_id=f"m{turn}")
            for _ in range(2):
                log.record("alice", said, SlotSet(f"by {number}", turn))


def keyed(url: str, number: str, keys: str, behind: str, dies_after: str = "0") -> None:
    """Record a message for each key, in this process's order; the answers go to stdout.

    behind: rows after which it updates the derived tables. dies_after: answers before SIGKILL.
    """
    tail.BEHIND_ROWS = int(behind)
    order = list(range(int(keys)))
    random.Random(number).shuffle(order)
    log = turnlog.open(url)
    for answered, key in enumerate(order, 1):
        done = log.record(f"c{key % 50}", UserUttered(f"text {key}"), key=f"key {key}")
        where = done.commits[0]
        os.write(1, f"{key} {where.conversation} {where.version} {int(done.new)}\n".encode())
        if answered == int(dies_after):
            os.kill(os.getpid(), signal.SIGKILL)
    log.close()


def written(url: str, number: str, turns: str, behind: str, acknowledged: str) -> None:
    """Record turns of one conversation; how many are acknowledged goes into a file."""
    tail.BEHIND_ROWS = int(behind)
    with turnlog.open(url) as log, open(acknowledged, "r+b", buffering=0) as file:
        for turn in range(1, int(turns) + 1):
            log.record(f"c{number}", UserUttered(f"{turn}"), SlotSet("n", turn))
            if turn % 5 == 0:
                log.view("transcript")
            os.pwrite(file.fileno(), turn.to_bytes(4, "big"), 4 * int(number))


def publish(url: str, folder: str, run: str) -> None:
    """Record forever, and publish a head after a few turns each; each line numbers it."""
    from turnlog.audit.publishing import Publisher
    from turnlog.proof.folder import TileFolder
    from turnlog.proof.keys import COSIGNATURE, PLAIN, Signer
    from turnlog.storage.recent_digests import RecentDigests

    keys = [Signer.of("log", PLAIN, bytes([1] * 32)), Signer.of("w", COSIGNATURE, bytes([2] * 32))]
    log = turnlog.open(url)
    log.store.recent = RecentDigests()
    publisher = Publisher(log.store, keys, log.clock, TileFolder(Path(folder)))
    for head in range(10**9):
        for n in range(1 + head % 40):
            log.record(f"c{n % 3}", UserUttered(f"{run} {head} {n}"), SlotSet("n", n))
        publisher.publish()
        os.write(1, f"published {head}\n".encode())


TASKS = {
    task.__name__: task for task in (crash, crowd, once, repeat, keyed, written, read, publish)
}

if __name__ == "__main__":
    TASKS[sys.argv[1]](*sys.argv[2:])
