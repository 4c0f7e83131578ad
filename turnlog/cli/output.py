"""Prints results: JSON for programs, tables for people, and messages separately on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from turnlog import files
from turnlog.cli.settings import leave_stdout, settings
from turnlog.errors import FormatError
from turnlog.reports.text import visible as visible
from turnlog.reports.text import when as when


def leave_stdout_to(*paths: Path | None) -> None:
    """Sends all other output to stderr if one of a command's files is stdout."""
    if any(path is not None and files.is_stdout(path) for path in paths):
        leave_stdout()


def _out() -> Any:
    return sys.stderr if settings().aside else sys.stdout


def document(value: Mapping[str, Any], *, human: Callable[[], None]) -> None:
    """Prints one JSON document, or calls `human`."""
    if settings().json:
        _json(value)
    else:
        human()


def lines(values: Iterable[Mapping[str, Any]], *, columns: Sequence[str]) -> None:
    """Prints one line of JSON for each, or a table of these columns."""
    if settings().json:
        for value in values:
            _json(value)
    else:
        table(columns, ([_field(value, name) for name in columns] for value in values))


_STAND_INS = {
    "text": ("reason", "detail"),
    "name": ("key", "unit", "token"),
    "value": ("items", "receipt", "state"),
}
"""Fields of a column whose cells may be empty."""


def _field(line: Mapping[str, Any], column: str) -> Any:
    if (value := line.get(column)) is not None:
        return value
    fields = _STAND_INS.get(column, ())
    return next((line[field] for field in fields if line.get(field) is not None), None)


def _json(value: Mapping[str, Any]) -> None:
    from turnlog.domain import plain

    _out().buffer.write(plain.dumps(value) + b"\n")


PAGE_ROWS = 100
"""Rows that are aligned together on a terminal, under one header."""


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on a terminal, page by page; elsewhere each row as it comes, with tabs."""
    cells = ([shown(*cell) for cell in zip(row, columns, strict=True)] for row in rows)
    out = _out()
    if out.isatty():
        _lay_out(columns, list(islice(cells, PAGE_ROWS)))
        while page := list(islice(cells, PAGE_ROWS)):
            _lay_out(columns, page)
        return
    first = list(islice(cells, 1))  # errors come before any output
    print(*columns, sep="\t", file=out)
    for row in chain(first, cells):
        print(*(visible(text.replace("\\", "\\\\")) for text in row), sep="\t", file=out)


def _lay_out(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Without the columns that are empty in every row."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, header_style="bold")
    filled = [i for i in range(len(columns)) if not rows or any(row[i] for row in rows)]
    for i in filled:
        grid.add_column(columns[i], overflow="fold")
    for row in rows:
        grid.add_row(*(Text(visible(row[i])) for i in filled))
    Console(file=_out()).print(grid)


_TIMES = {"time", "started", "last"}
"""Columns of timestamps."""


def shown(value: Any, column: str = "") -> str:
    """A value as people read it: text unchanged, the rest as JSON, nothing for None."""
    from turnlog.domain import plain

    if value is None or isinstance(value, str):
        return value or ""
    if column in _TIMES and isinstance(value, int | float):
        return when(value)
    return plain.dumps(value).decode()


def write(path: Path, content: bytes) -> None:
    """Opens a file to write. Raises FormatError if that fails."""
    try:
        files.write(path, content)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error


def read(path: Path) -> bytes:
    """Opens a file to read. Raises FormatError if that fails."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error


def text(content: str) -> None:
    """Writes lines unchanged to stdout."""
    print(content, end="", file=_out())


def say(text: str) -> None:
    """Prints a line for people on stdout."""
    print(visible(text), file=_out())


def note(text: str) -> None:
    """Prints a message on stderr."""
    print(visible(text), file=sys.stderr)
