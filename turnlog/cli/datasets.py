"""`turnlog datasets`: which exports the log knows of, and which hold what is of one person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

if TYPE_CHECKING:
    from turnlog.audit.datasets import Dataset

COLUMNS = ("time", "recipient", "format", "conversations", "export")

Of = Annotated[
    str | None, typer.Option("--of", metavar="PERSON", help="Those with something of this person.")
]


def datasets(of: Of = None) -> None:
    """List the exports that were recorded, the oldest first.

    Also of a person who was erased since.
    """
    from msgspec.structs import asdict

    from turnlog.audit import datasets as found

    with open_log(readonly=True) as log:
        if of is None:
            output.lines(map(_line, found.datasets(log)), columns=COLUMNS)
            return
        shares = ({**_line(each), **asdict(share)} for each, share in found.with_person(log, of))
        output.lines(shares, columns=(*COLUMNS, "theirs", "erased"))


def _line(dataset: Dataset) -> dict[str, Any]:
    from msgspec.structs import asdict

    fields = asdict(dataset)
    del fields["streams"]
    return {**fields, "conversations": dataset.conversations}
