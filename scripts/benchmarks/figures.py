"""A figure, and how to take one: interleaved runs, medians."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """ratio: ours ÷ theirs in the named unit. wanted: the required ratio, in words."""

    name: str
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None
    wanted: str = ""
    held: bool | None = None
    note: str = ""


def at_least(name: str, ours: float, theirs: float, unit: str, *, least: float) -> Figure:
    ratio = ours / theirs
    return Figure(name, ours, theirs, unit, ratio, f"≥ {least:g}", ratio >= least)


def faster(name: str, taken: Mapping[str, float], unit: str, *, least: float) -> Figure:
    """Operations a second, from the seconds that `ours` and `theirs` take."""
    return at_least(name, 1 / taken["ours"], 1 / taken["theirs"], unit, least=least)


def at_most(name: str, ours: float, theirs: float, unit: str, *, most: float) -> Figure:
    ratio = ours / theirs
    return Figure(name, ours, theirs, unit, ratio, f"≤ {most:g}", ratio <= most)


def below(name: str, ours: float, unit: str, *, most: float, note: str = "") -> Figure:
    """A figure without a peer: our own value must be at most so much."""
    return Figure(name, ours, None, unit, None, f"≤ {most:g} {unit}", ours <= most, note)


def seconds(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def seconds_raw(work: Callable[[], object]) -> float:
    """Without collecting garbage first, which would cost more than short work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(runs: Mapping[str, Callable[[], float]], times: int) -> dict[str, float]:
    """The median of each run's results; the runs alternate `times` times."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(times):
        for name in _rotated(list(runs), turn):
            taken[name].append(runs[name]())
    return {name: median(values) for name, values in taken.items()}


def _rotated(names: list[str], by: int) -> Iterable[str]:
    """The order differs from round to round."""
    cut = by % len(names)
    return [*names[cut:], *names[:cut]]
