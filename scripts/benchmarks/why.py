"""The cost of asking why, and of finding a conversation among many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import turnlog
from scripts.benchmarks.figures import Figure, below
from turnlog import (
    ActionExecuted,
    BotUttered,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.audit.why import why
from turnlog.domain.events import Event
from turnlog.engine.log import Turnlog
from turnlog.engine.query import matching

EVENTS, CONVERSATIONS = 100_000, 10_002


def figures(*, quick: bool) -> Iterator[Figure]:
    events, conversations = (10_000, 1_000) if quick else (EVENTS, CONVERSATIONS)
    with TemporaryDirectory() as folder:
        yield from _why(Path(folder), events)
        yield from _found(Path(folder), conversations, keys=None)
        keys = f"sqlite:///{folder}/keys.db"
        yield from _found(Path(folder), conversations, keys=keys)


def _why(folder: Path, events: int) -> Iterator[Figure]:
    with turnlog.open(f"sqlite:///{folder}/long.db") as log:
        log.record("long", UserUttered("four"), SlotSet("first", 4), SlotSet("back", 1))
        log.record("long", UserUttered("no"), SlotSet("back", 2), UserUtteranceReverted())
        for turn in range(events // 6):
            log.record("long", *_turn(turn))
        for slot in ("first", "back", "often"):
            taken = _milliseconds(lambda slot=slot: why(log.conversation("long"), slot))  # type: ignore[misc]
            yield below(f"why_{slot}", taken, "ms", most=50, note=f"{events:,} events")


def _turn(number: int) -> list[Event]:
    id = str(number)
    called = ToolCalled("find", {"n": number}, id), ToolReturned({"found": number}, id)
    set = SlotSet("often", number)
    return [UserUttered("go on"), *called, set, ActionExecuted("act"), BotUttered("ok")]


def _found(folder: Path, conversations: int, keys: str | None) -> Iterator[Figure]:
    name = "sealed" if keys else "clear"
    with turnlog.open(f"sqlite:///{folder}/{name}.db", keys=keys) as log:
        for number in range(conversations):
            log.record(f"c{number:05}", *(event for turn in range(4) for event in _turn(turn)))
        log.view("search")
        note, most = f"{conversations:,} conversations, {name}", 1_500 if keys else 300
        for what, text in (("list", None), ("search", "nowhere"), ("slot", "slot:often=77")):
            taken = _milliseconds(lambda text=text: _page(log, text))  # type: ignore[misc]
            yield below(f"{what}_{name}", taken, "ms", most=most, note=note)


def _page(log: Turnlog, text: str | None) -> object:
    return [*islice(matching(log, search=text, newest=True), 200)]


def _milliseconds(work: Callable[[], object]) -> float:
    """Processor time, the median of five runs."""
    taken: list[float] = []
    for _ in range(5):
        begin = time.process_time()
        work()
        taken.append((time.process_time() - begin) * 1_000)
    return median(taken)
