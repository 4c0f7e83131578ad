"""Records in a thread and forks meanwhile; each child prints its result on a separate line.

python -m tests.faults.forking URL thread|async|multiprocessing
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import turnlog
from turnlog import UserUttered
from turnlog.errors import ForkedLog

CHILDREN = 5
ENDS_SECONDS = 20
"""After which a child that hangs is killed."""


def say(*words: object) -> None:
    """In one write, which other children's lines cannot interrupt."""
    os.write(sys.stdout.fileno(), f"{' '.join(map(str, words))}\n".encode())


def main(url: str, how: str) -> None:
    log = turnlog.open(url)
    log.record("parent", UserUttered("first"))
    read_before = log.conversation("parent")
    if how == "async":
        record, child = in_a_loop(log, url)
    else:
        record = lambda: log.record("parent", UserUttered("more"))  # noqa: E731
        child = lambda number: in_a_thread(log, read_before, url, number)  # noqa: E731
    recorded = [0, 0]
    stopping = threading.Event()

    def record_more() -> None:
        while not stopping.is_set():
            record()
            recorded[0] += 1

    thread = threading.Thread(target=record_more)
    thread.start()
    while recorded[0] < 5:
        time.sleep(0.01)
    (by_multiprocessing if how == "multiprocessing" else by_fork)(child)
    stopping.set()
    thread.join()
    say("parent", 1 + recorded[0], len(log.read_events("parent")))
    os._exit(0)  # the loop's thread still runs; what is acknowledged is stored


def in_a_thread(log: turnlog.Turnlog, read: turnlog.Conversation, url: str, number: int) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: log.record(f"child{number}", UserUttered("hello")),
        lambda: log.conversation("parent"),
        lambda: list(read.events()),
        lambda: next(log.follow(0)),
        lambda: log.wait("parent", 1_000_000, timeout=5),
    ]
    for attempt in attempts:
        with suppress(ForkedLog):
            say("child", number, "got", attempt())
    log.close()
    with turnlog.open(url) as log:
        log.record(f"child{number}", UserUttered("hello"))
    say("child", number, "fine")


def in_a_loop(
    log: turnlog.Turnlog, url: str
) -> tuple[Callable[[], object], Callable[[int], object]]:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()

    async def opened() -> turnlog.AsyncTurnlog:
        return turnlog.AsyncTurnlog(log)

    alog = asyncio.run_coroutine_threadsafe(opened(), loop).result()

    def record() -> object:
        waiting = alog.record("parent", UserUttered("more"))
        return asyncio.run_coroutine_threadsafe(waiting, loop).result()

    async def child(number: int) -> None:
        for attempt in (
            alog.record(f"child{number}", UserUttered("hello")),
            alog.conversation("parent"),
            anext(alog.follow(0)),
            alog.wait("parent", 1_000_000, timeout=5),
        ):
            with suppress(ForkedLog):
                say("child", number, "got", await attempt)
        await alog.close()
        async with turnlog.aopen(url) as log:
            await log.record(f"child{number}", UserUttered("hello"))
        say("child", number, "fine")

    return record, lambda number: asyncio.run(child(number))


def by_fork(child: Callable[[int], object]) -> None:
    children = []
    for number in range(CHILDREN):
        pid = os.fork()
        if pid == 0:
            signal.alarm(ENDS_SECONDS)
            child(number)
            sys.exit()  # with everything that Python does at an exit
        children.append(pid)
        time.sleep(0.02)
    say("statuses", *(os.waitpid(pid, 0)[1] for pid in children))


def by_multiprocessing(child: Callable[[int], object]) -> None:
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=child, args=(number,)) for number in range(CHILDREN)]
    for process in children:
        process.start()
    for process in children:
        process.join(ENDS_SECONDS)
    say("statuses", *(process.exitcode for process in children))
    for process in children:
        process.kill()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
