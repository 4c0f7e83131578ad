"""`turnlog list`: the conversations of a log."""

from __future__ import annotations

from typing import Annotated

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


def list_(search: Search = None, where: Where = None) -> None:
    """List the conversations."""
    from turnlog.engine.query import matching, summary

    columns = ("conversation", "turns", "events", "started", "last", "tags")
    with open_log() as log:
        summaries = (summary(*each) for each in matching(log, where=where, search=search))
        lines = ({name: line[name] for name in columns} for line in summaries)
        output.lines(lines, columns=columns)
