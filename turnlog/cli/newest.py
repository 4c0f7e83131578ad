"""Lines in the order of when something was recorded last, sorted on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

from turnlog.encoding import binary
from turnlog.errors import Unavailable


def newest_first(
    lines: Iterable[tuple[int, dict[str, Any]]], limit: int | None
) -> Iterator[dict[str, Any]]:
    """Lines that come with a position, the highest first; however many, in the same memory.

    Raises Unavailable where there is no room for them in the folder for temporary files.
    """
    try:
        with closing(sqlite3.connect("", isolation_level=None)) as scratch:  # a file without a name
            scratch.execute("CREATE TABLE lines (position INTEGER, line BLOB)")
            scratch.execute("BEGIN")
            encoded = ((position, binary.encode(line)) for position, line in lines)
            scratch.executemany("INSERT INTO lines VALUES (?, ?)", encoded)
            statement = "SELECT line FROM lines ORDER BY position DESC LIMIT ?"
            for (line,) in scratch.execute(statement, (-1 if limit is None else limit,)):
                yield binary.decode(line)
    except sqlite3.Error as error:
        raise Unavailable(f"the conversations cannot be sorted: {error}") from error
