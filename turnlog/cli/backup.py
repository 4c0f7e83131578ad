"""`turnlog backup` and `turnlog restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

if TYPE_CHECKING:
    from turnlog.storage.copying import Copied

To = Annotated[Path, typer.Argument(metavar="PATH", help="The file to write; a SQLite log.")]
From = Annotated[Path, typer.Argument(metavar="PATH", help="A backup, or any SQLite log.")]


def backup(path: To) -> None:
    """Copy the log to a file, while it goes on being written."""
    from turnlog.storage import copying

    output.leave_stdout_to(path)
    with open_log() as log:
        _tell("copied", copying.backup(log.store, path), path)


def restore(path: From) -> None:
    """Fill an empty log from a backup.

    Row for row, so that it verifies as before.
    """
    from turnlog.storage import copying

    with open_log(create=True) as log:
        _tell("restored", copying.restore(path, log.store), path)


def _tell(verb: str, copied: Copied, path: Path) -> None:
    from msgspec.structs import asdict

    done = {"path": str(path), **asdict(copied)}
    text = f"{verb} {copied.commits:,} commits of {copied.conversations:,} conversations"
    output.document(done, human=lambda: output.say(text))
