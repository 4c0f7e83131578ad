"""Forks, checkouts and the last messages of a conversation, at turn 1,000 and at turn 100,000.

Bytes are those of the row; derived tables follow later. Commits are synced as with SQLite's
`synchronous=NORMAL`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import turnlog
from scripts.benchmarks.figures import Figure, below, seconds_raw
from turnlog import BotUttered, Dialogue, SlotSet, UserUttered
from turnlog.engine.log import Turnlog

RUNS = 31
LENGTHS = (1_000, 100_000)
CHECKOUTS = 1_000
LIVE = 300
"""Turns that are recorded one by one, in two commits each; the turns before them are imported."""


def figures(*, quick: bool = False) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as folder:
        for turns in LENGTHS[:1] if quick else LENGTHS:
            url = f"sqlite:///{Path(folder, f'{turns}.db')}?synchronous=NORMAL"
            with turnlog.open(url) as log:
                log.import_dialogue(_dialogue(turns - LIVE))
                for turn in range(turns - LIVE, turns):
                    log.record("long", UserUttered(f"message {turn}"), SlotSet("turn", turn))
                    log.record("long", BotUttered(f"answer {turn}"))
                yield from _of(log, turns)


def _dialogue(turns: int) -> Dialogue:
    events = (
        (UserUttered(f"message {turn}"), SlotSet("turn", turn), BotUttered(f"answer {turn}"))
        for turn in range(turns)
    )
    return Dialogue("long", tuple(event for three in events for event in three))


def _of(log: Turnlog, turns: int) -> Iterator[Figure]:
    forked = (f"fork {n}" for n in range(10_000))
    at = f"at turn {turns:,}"
    conversation = log.conversation("long")
    last = _median(lambda: conversation.last(20))
    yield below(f"last(20) {at}", last, "ms", most=0.2)
    here = _median(lambda: log.fork("long", as_=next(forked)))
    yield below(f"fork {at}", here, "ms", most=1)
    back = _median(lambda: log.fork("long", turn=turns // 2, as_=next(forked)))
    yield below(f"fork of turn {turns // 2:,} {at}", back, "ms", most=1)
    yield below(f"bytes of a fork {at}", _bytes(log), "bytes", most=400)
    _checkout(log, 0)
    checkout = _median(lambda: _checkout(log, 1))
    yield below(f"checkout of a branch {at}", checkout, "ms", most=1)
    yield below(f"bytes of a checkout {at}", _bytes(log), "bytes", most=400)
    for _ in range(CHECKOUTS):
        _checkout(log, 1)
    conversation = log.conversation("long")
    last = _median(lambda: conversation.last(20))
    yield below(f"last(20) {at}, {CHECKOUTS:,} checkouts later", last, "ms", most=0.5)


_branches = iter(range(100_000))


def _checkout(log: Turnlog, turn: int) -> None:
    log.checkout("long", f"branch {next(_branches) % 2}")


def _median(work: Callable[[], object]) -> float:
    """Milliseconds, after a first run that does not count."""
    work()
    return median(seconds_raw(work) for _ in range(RUNS)) * 1000


def _bytes(log: Turnlog) -> int:
    """Bytes of the newest row, and of the stream that begins with it."""
    reader = log.store.reader
    [row] = reader.tail(reader.last_position() - 1, 1)
    columns = (row.topic, row.previous, row.skeleton, row.commitments, row.parts)
    stream = len(row.owner) + len(row.name or b"") + 24 if row.version == 1 else 0
    return 24 + stream + sum(map(len, columns))
