"""`turnlog list`: the conversations of a log."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

Search = Annotated[
    str | None,
    typer.Option(
        "--search", metavar="TEXT", help="Those with this in a message, a slot or the id."
    ),
]
Where = Annotated[
    str | None,
    typer.Option(
        "--where",
        metavar="TERMS",
        help="Terms like slot.NAME=VALUE, user=NAME, after=TIME; commas mean and.",
    ),
]

Limit = Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="At most N.")]
Newest = Annotated[bool, typer.Option("--newest", help="By their last events, the newest first.")]

COLUMNS = ("conversation", "turns", "events", "started", "last", "tags")
_OF_FORKS = ("shared", "trial")


def list_(
    search: Search = None, where: Where = None, limit: Limit = None, newest: Newest = False
) -> None:
    """List conversations by id, or the newest first."""
    from turnlog.engine.query import matching, summary

    limit = None if limit is None else min(limit, sys.maxsize)
    with open_log(readonly=True) as log:
        found = matching(log, where=where, search=search, newest=newest)
        lines = (_line(summary(head, state)) for head, state in islice(found, limit))
        output.lines(lines, columns=COLUMNS)


def _line(summary: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a conversation; fields that only forks have are omitted for others."""
    return {name: summary[name] for name in (*COLUMNS, *_OF_FORKS) if name in summary}
