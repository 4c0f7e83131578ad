"""The time to erase one of many people; part of the set `audit`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import turnlog
from scripts.benchmarks.figures import Figure, below, seconds
from turnlog import BotUttered, SlotSet, UserIdentified, UserUttered
from turnlog.engine.log import Turnlog
from turnlog.projections import PROJECTIONS, catch_up

PERSONS = 100_000
ERASED = 20
VACUUM_SECONDS = 10.0
"""Seconds in which a file of so many people must be rewritten."""


def figures(*, quick: bool) -> Iterator[Figure]:
    persons = PERSONS // 20 if quick else PERSONS
    many = f"{persons:,} people"
    with (
        tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name,
        turnlog.open(f"sqlite:///{Path(name)}/log.db?synchronous=NORMAL") as log,
    ):
        _fill(log, persons)
        erased = range(0, persons, persons // ERASED)
        took = [seconds(partial(_erase, log, n)) * 1000 for n in erased]
        note = f"{many}, the slowest of {ERASED}; without the vacuum"
        yield below("erase_one_of_many", max(took), "ms", most=50, note=note)
        vacuum = seconds(partial(_erase, log, 1, vacuum="yes"))
        yield below("erase_and_vacuum", vacuum, "s", most=VACUUM_SECONDS, note=many)


def _fill(log: Turnlog, persons: int) -> None:
    for n in range(persons):
        answer = (
            UserIdentified(f"person {n}"), UserUttered("a table for two"), SlotSet("people", 2),
            BotUttered("for when?"),
        )  # fmt: skip
        log.writer.submit(log.request(f"+49151{n:07}", answer))
        if n % 256 == 255:
            log.writer.flush()
    log.writer.flush()
    log.current.catch_up()
    catch_up(log.store, PROJECTIONS.values())


def _erase(log: Turnlog, number: int, vacuum: str = "no") -> None:
    log.erase(person=f"person {number}", reason="asked to", actor="dpo", vacuum=vacuum)
