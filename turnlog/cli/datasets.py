"""`turnlog datasets`: the recorded exports, and those that contain a person's data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

if TYPE_CHECKING:
    from turnlog.audit.datasets import Dataset

COLUMNS = ("time", "recipient", "format", "conversations", "export")

Of = Annotated[
    str | None, typer.Option("--of", metavar="PERSON", help="Those with data of this person.")
]


Examples = Annotated[
    Path | None,
    typer.Option("--examples", metavar="MANIFEST", help="List an export's examples."),
]


def datasets(of: Of = None, examples: Examples = None) -> None:
    """List the recorded exports, or those with data of a person.

    They are listed oldest first, also for an erased person. With --examples, list the examples of
    one export with the log's ids for them.
    """
    if examples is not None:
        _list_examples(examples)
        return
    from msgspec.structs import asdict

    from turnlog.audit import datasets as found

    with open_log(readonly=True) as log:
        if of is None:
            output.lines(map(_line, found.datasets(log)), columns=COLUMNS)
            return
        shares = ({**_line(each), **asdict(share)} for each, share in found.with_person(log, of))
        output.lines(shares, columns=(*COLUMNS, "theirs", "erased"))


def _list_examples(manifest: Path) -> None:
    from msgspec.structs import asdict

    from turnlog.training.privacy.names import ExportedNames
    from turnlog.training.records.manifest import read

    with open_log(readonly=True) as log:
        noted = read(manifest)
        names = ExportedNames(log, pseudonyms=noted.options.pseudonyms)
        lines = (
            {"as": x.conversation, **asdict(x), "conversation": names.found(x.conversation)}
            for x in noted.examples
        )
        output.lines(lines, columns=("file", "as", "conversation", "events"))


def _line(dataset: Dataset) -> dict[str, Any]:
    from msgspec.structs import asdict

    fields = asdict(dataset)
    del fields["streams"]
    return {**fields, "conversations": dataset.conversations}
