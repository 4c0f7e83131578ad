"""What commands print: JSON for programs, tables for people, and messages aside on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnlog.cli.settings import settings
from turnlog.errors import FormatError
from turnlog.reports.text import visible as visible
from turnlog.reports.text import when as when


def document(value: Mapping[str, Any], *, human: Callable[[], None]) -> None:
    """One JSON document, or what `human` prints."""
    if settings().json:
        _json(value)
    else:
        human()


def lines(values: Iterable[Mapping[str, Any]], *, columns: Sequence[str]) -> None:
    """One line of JSON for each, or a table of these columns."""
    if settings().json:
        for value in values:
            _json(value)
    else:
        table(columns, ([_shown(value, name) for name in columns] for value in values))


_STAND_INS = {
    "text": ("reason", "detail"),
    "name": ("key", "unit", "token"),
    "value": ("items", "receipt", "state"),
}
"""Fields that a table shows in a column of which a line has nothing."""


def _shown(line: Mapping[str, Any], column: str) -> Any:
    if (value := line.get(column)) is not None:
        return value
    fields = _STAND_INS.get(column, ())
    return next((line[field] for field in fields if line.get(field) is not None), None)


def _json(value: Mapping[str, Any]) -> None:
    from turnlog.serializers import plain

    sys.stdout.buffer.write(plain.dumps(value) + b"\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout, as wide as it must be where that is no terminal.

    A column in which no row has anything is left out.
    """
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold")
    cells = [list(map(_cell, columns, row)) for row in rows]
    filled = [i for i in range(len(columns)) if not cells or any(row[i].plain for row in cells)]
    for i in filled:
        grid.add_column(columns[i], overflow="fold")
    for row in cells:
        grid.add_row(*(row[i] for i in filled))
    console = Console()
    if not console.is_terminal:
        console.width = _width(grid, console)
    console.print(grid)


def _width(grid: Any, console: Any) -> int:
    from rich.measure import Measurement

    wide = console.options.update(max_width=100_000)
    return max(1, Measurement.get(console, wide, grid).maximum)


_TIMES = {"time", "started", "last"}
"""Columns of timestamps."""


def _cell(column: str, value: Any) -> Any:
    from rich.text import Text

    timed = column in _TIMES and isinstance(value, int | float)
    return Text(when(value) if timed else shown(value))


def shown(value: Any) -> str:
    """A value as people read it: text as it is, the rest as JSON, nothing for None."""
    from turnlog.serializers import plain

    if value is None:
        return ""
    return visible(value if isinstance(value, str) else plain.dumps(value).decode())


def write(path: Path, content: bytes) -> None:
    """A file that the command was asked for. Raises FormatError where it cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error


def say(text: str) -> None:
    """A line for a person, on stdout."""
    print(visible(text))


def note(text: str) -> None:
    """A message aside, on stderr."""
    print(visible(text), file=sys.stderr)
