"""`turnlog subject`: everything about one person, for that person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import actor as this_user
from turnlog.cli.settings import open_log
from turnlog.cli.whom import Maker

Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="The person, by an id in UserIdentified.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="The folder for the files.")]
Letter = Annotated[
    bool, typer.Option("--letter", help="Also explain, in sentences, how values came about.")
]
Slot = Annotated[
    str | None, typer.Option("--slot", metavar="NAME", help="Only this value in the letter.")
]


def subject(
    person: Person, out: Out, letter: Letter = False, slot: Slot = None, actor: Maker = None
) -> None:
    """Write what the log contains about a person.

    The page and the JSON cover all conversations and channels, including deleted ones, and the
    recipients of exports. What is about others is omitted.
    """
    from turnlog.audit.provenance import provenance
    from turnlog.audit.subject import subject as found_about
    from turnlog.domain.plain import dumps
    from turnlog.reports import subject as pages

    if slot is not None and not letter:
        raise typer.BadParameter("--slot needs --letter")
    with open_log(readonly=True) as log:
        made = provenance(log, by=actor or this_user())
        found = found_about(log, person)
    files = {
        "subject.html": pages.as_page(found, made),
        "subject.json": dumps(pages.as_json(found, made)) + b"\n",
    }
    if letter:
        files["letter.html"] = pages.as_letter(found, made, slot)
    _write(out, files)
    conversations = len({one.id for one in found.conversations})
    done: dict[str, Any] = {
        "person": person, "out": str(out), "conversations": conversations,
        "events": sum(len(one.own) for one in found.conversations), "files": sorted(files),
    }  # fmt: skip
    output.document(done, human=lambda: output.say(f"{out}: {', '.join(sorted(files))}"))


def _write(folder: Path, files: dict[str, bytes]) -> None:
    from turnlog.errors import FormatError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(folder)) from error
    for name, content in files.items():
        output.write(folder / name, content)
