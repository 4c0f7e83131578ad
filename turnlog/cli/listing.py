"""`turnlog list`: the conversations of a log."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from itertools import islice
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

Search = Annotated[
    str | None, typer.Option("--search", metavar="TEXT", help="With this in a message or the id.")
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="TERMS",
        help="slot.NAME=VALUE, after=TIME, before=TIME, tag=TAG, channel=NAME; commas mean and.",
    ),
]

Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="N at most.")]
Newest = Annotated[
    bool, typer.Option("--newest", help="In the order of their last events, the newest first.")
]


def list_(
    search: Search = None, where: Where = None, limit: Limit = None, newest: Newest = False
) -> None:
    """List the conversations, in order of id."""
    from turnlog.engine.query import matching, summary

    columns = ("conversation", "turns", "events", "started", "last", "tags")
    with open_log(readonly=True) as log:
        found = matching(log, where=where, search=search)
        summaries = (summary(*each) for each in _some(found, limit, newest=newest))
        lines = ({name: line[name] for name in columns} for line in summaries)
        output.lines(lines, columns=columns)


def _some(found: Iterable[Any], limit: int | None, *, newest: bool) -> Iterable[Any]:
    """As many as are asked for; heads are where the last events were recorded."""
    if not newest:
        return islice(found, limit)

    def recorded(each: Any) -> int:
        position: int = each[0].position
        return position

    if limit is None:
        return sorted(found, key=recorded, reverse=True)
    return nlargest(limit, found, key=recorded)
