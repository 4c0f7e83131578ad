"""The report of a period: its figures, with a small chart for each kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from importlib.resources import files

from turnlog.audit.period import KINDS, Period, PeriodFigures
from turnlog.audit.provenance import Provenance
from turnlog.reports.audit import margins, provenance_table
from turnlog.reports.html import Element, element, page
from turnlog.reports.text import Clockface

CSS = files("turnlog.reports").joinpath("audit.css").read_text()
WIDTH, HEIGHT = 240, 36


def period_report(period: Period, found: PeriodFigures, made: Provenance) -> bytes:
    """One page that needs no other file and can be printed."""
    face = Clockface(made.zone)
    span = f"{face.at(period.start)} to {face.at(period.end)}"
    return page(
        f"Audit of {span}",
        CSS + margins(made),
        element("header", element("h1", "Audit of a period"), provenance_table(made, face)),
        element("p", f"What the log recorded from {span}, by its own clock.", class_="scope"),
        element("h3", "Volumes"),
        _volumes(period, found),
        element("h3", "Outcomes"),
        _counted(("outcome", "conversations"), found.outcomes, "No outcome was recorded."),
        element("h3", "Models"),
        _counted(("model", "events"), found.models, "No event names a model."),
    )


def _volumes(period: Period, found: PeriodFigures) -> Element:
    days = list(period.days())
    head = element("tr", (element("th", title) for title in ("what", "total", "by day")))
    rows = [_plain("conversations", found.conversations)]
    rows += [_row(kind, found.totals[kind], days, found.by_day.get(kind, {})) for kind in KINDS]
    rows.append(_plain("conversations in which no AI was disclosed", found.undisclosed))
    return element("table", element("thead", head), element("tbody", rows), class_="volumes")


def _plain(name: str, total: int) -> Element:
    return element("tr", element("td", name), element("td", f"{total:,}"), element("td"))


def _row(kind: str, total: int, days: Sequence[date], by_day: Mapping[date, int]) -> Element:
    chart = _chart([by_day.get(day, 0) for day in days]) if total else None
    cells = (element("td", kind), element("td", f"{total:,}"), element("td", chart))
    return element("tr", *cells)


def _chart(values: Sequence[int]) -> Element:
    """A bar for each day, or for several days if a bar has to cover more."""
    together = -(-len(values) // (WIDTH // 2))
    sums = [sum(values[at : at + together]) for at in range(0, len(values), together)]
    bars = element("svg", _bars(sums), class_="chart", width=str(WIDTH), height=str(HEIGHT))
    bars.set("viewBox", f"0 0 {WIDTH} {HEIGHT}")
    bars.set("role", "img")
    bars.set("aria-label", f"most in {_days(together)}: {max(sums):,}")
    return bars


def _days(together: int) -> str:
    return "a day" if together == 1 else f"{together} days"


def _bars(values: Sequence[int]) -> Iterator[Element]:
    step, most = WIDTH / len(values), max(values)
    for number, value in enumerate(values):
        if value:
            height = max(1.0, HEIGHT * value / most)
            yield element(
                "rect", x=f"{number * step:.1f}", y=f"{HEIGHT - height:.1f}",
                width=f"{max(1.0, min(step * 0.8, 24)):.1f}", height=f"{height:.1f}",
                fill="#5b7fd6",
            )  # fmt: skip


def _counted(titles: Sequence[str], counts: Mapping[str, int], none: str) -> Element:
    if not counts:
        return element("p", none, class_="none")
    head = element("tr", (element("th", title) for title in titles))
    rows = [
        element("tr", element("td", name), element("td", f"{counts[name]:,}"))
        for name in sorted(counts, key=lambda name: (-counts[name], name))
    ]
    return element("table", element("thead", head), element("tbody", rows))
