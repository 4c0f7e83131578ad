"""The cost of an image of 0.9 MB in turn 1 for the 999 turns after it, against a log without one.

The two logs alternate, so that other work on the machine affects both. Commits are synced as with
SQLite's `synchronous=NORMAL`; a turn is two of them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import turnlog
from scripts.benchmarks.figures import Figure, at_most, seconds_raw
from turnlog import BotUttered, MediaAdded, SlotSet, UserUttered
from turnlog.engine.log import Turnlog

IMAGE_BYTES = 900_000
TURNS = 1_000
OPENINGS = 15


def figures(*, quick: bool = False) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as folder:
        urls = [f"sqlite:///{Path(folder, f'{n}.db')}?synchronous=NORMAL" for n in range(2)]
        with ExitStack() as stack:
            image, none = [stack.enter_context(turnlog.open(url)) for url in urls]
            picture = MediaAdded("image", content=os.urandom(IMAGE_BYTES), actor="user")
            image.record("long", UserUttered("look"), picture)
            none.record("long", UserUttered("look"))
            with_it, without = _turns([image, none], TURNS // 5 if quick else TURNS)
            yield at_most("turn after a large image", with_it, without, "µs", most=1.05)
            heads = [_head_bytes(log) for log in (image, none)]
            yield at_most("head after a large image", *heads, "bytes", most=1.05)
        with_it, without = _openings(urls)
        yield at_most("open and record after a large image", with_it, without, "µs", most=1.1)


def _turns(logs: list[Turnlog], turns: int) -> list[float]:
    """The median turn of each, in microseconds."""
    taken: list[list[float]] = [[], []]
    for turn in range(1, turns):
        for which in (turn % 2, 1 - turn % 2):
            log = logs[which]
            taken[which].append(seconds_raw(lambda log=log, turn=turn: _turn(log, turn)))
    return [median(each) * 1e6 for each in taken]


def _turn(log: Turnlog, turn: int) -> None:
    log.record("long", UserUttered(f"message {turn}"), SlotSet("turn", turn))
    log.record("long", BotUttered(f"answer {turn}"))


def _head_bytes(log: Turnlog) -> int:
    log.current.catch_up()
    [head] = log.store.reader.heads()
    return len(head.state)


def _openings(urls: list[str]) -> list[float]:
    """A process that opens the log and records one turn, in microseconds."""
    taken: list[list[float]] = [[], []]
    for opening in range(OPENINGS):
        for which in (opening % 2, 1 - opening % 2):
            taken[which].append(seconds_raw(lambda url=urls[which]: _opened(url)))
    return [median(each) * 1e6 for each in taken]


def _opened(url: str) -> None:
    with turnlog.open(url) as log:
        _turn(log, 0)
