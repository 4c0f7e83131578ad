"""`turnlog export`: conversations become a file of some format."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.listing import Where
from turnlog.cli.settings import Ids, open_log

Format = Annotated[str, typer.Option("--format", metavar="F", help="The file's format.")]
Out = Annotated[Path, typer.Option("--out", metavar="PATH", help="The file to write.")]


def export(format: Format, out: Out, ids: Ids = None, where: Where = None) -> None:
    """Write conversations to a file."""
    from turnlog.engine.query import matching
    from turnlog.serializers.codec import codec

    writer = codec(format)
    with open_log() as log:
        chosen = ids or (head.conversation for head, _ in matching(log, where=where))
        written = _write(writer, _examples(log, writer, chosen), out)
    output.document({"examples": written}, human=lambda: output.say(f"{written} examples in {out}"))


def _examples(log: Any, writer: Any, ids: Iterable[str]) -> Iterator[Any]:
    for id in ids:
        yield from writer.examples(log.conversation(id).dialogue())


def _write(writer: Any, examples: Iterable[Any], out: Path) -> int:
    """Write the file under another name first, so that it is whole or not there."""
    from turnlog.errors import FormatError

    count = 0

    def counted() -> Iterator[Any]:
        nonlocal count
        for example in examples:
            count += 1
            yield example

    unfinished = out.with_name(out.name + ".unfinished")
    try:
        with unfinished.open("wb") as file:
            writer.write(counted(), file)
        os.replace(unfinished, out)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(out)) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count
