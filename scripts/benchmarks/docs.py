"""Writes docs/speed.svg and the table of docs/speed.md from one run."""

from __future__ import annotations

import math
import os
import platform
import re
import sqlite3
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

from scripts.benchmarks.figures import Figure, seconds_raw
from scripts.benchmarks.sides import EVENTS_A_TURN, Ours, Stock
from scripts.benchmarks.speed import milliseconds

ROOT = Path(__file__).parents[2]
LENGTHS = (12, 102, 1_002, 10_002, 100_002)
"""Events of a conversation, in whole turns."""

Curve = list[tuple[int, float]]


def write(figures: Sequence[Figure]) -> None:
    (ROOT / "docs" / "speed.svg").write_text(svg(curves()))
    table = "\n".join([*_head(), *map(_line, figures)])
    page = ROOT / "docs" / "speed.md"
    page.write_text(_TABLE.sub(lambda _: f"{_BEGIN}\n{table}\n{_END}", page.read_text()))


_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
_TABLE = re.compile(f"{_BEGIN}.*?{_END}", re.DOTALL)


def _head() -> list[str]:
    machine = f"{os.cpu_count()} shared cores, Python {platform.python_version()}"
    return [
        f"Taken in one run on {machine}, SQLite {sqlite3.sqlite_version}.",
        "",
        "| figure | ours | theirs | unit | ratio | wanted | |",
        "|---|---|---|---|---|---|---|",
    ]


def _line(figure: Figure) -> str:
    held = {True: "held", False: "**missed**", None: ""}[figure.held]
    theirs = "" if figure.theirs is None else _number(figure.theirs)
    ratio = "" if figure.ratio is None else f"{figure.ratio:.3g}"
    said = "; ".join(part for part in (held, figure.note) if part)
    cells = (figure.name, _number(figure.ours), theirs, figure.unit, ratio, figure.wanted, said)
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def curves() -> dict[str, Curve]:
    """Milliseconds by events of the conversation."""
    found: dict[str, Curve] = {
        "turnlog: append a turn": [],
        "turnlog: current state": [],
        "turnlog: state at a turn in the middle": [],
        "eventsourcing: append a turn": [],
        "eventsourcing: load": [],
    }
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as folder:
        for events in LENGTHS:
            taken = _costs(Path(folder), events // EVENTS_A_TURN)
            for line, values in zip(found.values(), taken, strict=True):
                line.append((events, median(values)))
    return found


def _costs(folder: Path, turns: int) -> list[list[float]]:
    """Milliseconds of each curve's work, several times, on a conversation of so many turns."""
    ours = Ours(folder / f"ours{turns}.db", "NORMAL")
    stock = Stock(folder / f"stock{turns}.db", "NORMAL")
    ours.fill(0, turns)
    stock.fill(0, turns)
    taken = [
        [1000 * seconds_raw(partial(ours.append, 0, n)) for n in range(31)],
        [milliseconds(ours, "c0") for _ in range(31)],
        [milliseconds(ours, "c0", turn=turns // 2) for _ in range(15)],
        [1000 * seconds_raw(partial(stock.append, 0, n)) for n in range(31)],
        [1000 * seconds_raw(partial(stock.replay, 0)) for _ in range(3)],
    ]
    ours.close()
    stock.close()
    return taken


WIDTH, HEIGHT, LEFT, BOTTOM = 720, 400, 60, 50
COLOURS = ("#0b6e4f", "#1b998b", "#74c69d", "#d1495b", "#edae49")
DECADES_X, DECADES_Y = (1, 5), (-3, 4)


def svg(curves: dict[str, Curve]) -> str:
    """Both axes logarithmic: events across, milliseconds up."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(DECADES_X[0], DECADES_X[1] + 1):
        x = _x(10**power)
        parts.append(
            f'<text x="{x:.0f}" y="{HEIGHT - 30}" text-anchor="middle">{10**power:,}</text>'
        )
    for power in range(DECADES_Y[0], DECADES_Y[1] + 1):
        y = _y(10.0**power)
        parts.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - 20}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g}</text>'
        )
    for index, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[index]
        line = " ".join(f"{_x(events):.1f},{_y(value):.1f}" for events, value in curve)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        y = 24 + 16 * index
        parts.append(f'<text x="{LEFT + 12}" y="{y}" fill="{colour}">{name}</text>')
    middle = (LEFT + WIDTH) // 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">events</text>')
    parts.append('<text x="8" y="14">ms</text></svg>\n')
    return "\n".join(parts)


def _x(events: float) -> float:
    low, high = DECADES_X
    return LEFT + (math.log10(events) - low) / (high - low) * (WIDTH - LEFT - 30)


def _y(value: float) -> float:
    low, high = DECADES_Y
    share = (math.log10(value) - low) / (high - low)
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - 20)
