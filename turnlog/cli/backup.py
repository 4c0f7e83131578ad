"""`turnlog backup` and `turnlog restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log
from turnlog.storage import copying

To = Annotated[Path, typer.Argument(metavar="PATH", help="The file to write; a SQLite log.")]
From = Annotated[Path, typer.Argument(metavar="PATH", help="A backup, or any SQLite log.")]


def backup(path: To) -> None:
    """Copy the log to a file, while it goes on being written."""
    output.leave_stdout_to(path)
    with open_log() as log:
        _tell("copied", copying.backup(log.store, path), path)


def restore(path: From) -> None:
    """Fill an empty log from a backup.

    Row for row, so that it verifies as before.
    """
    with open_log(create=True) as log:
        _tell("restored", copying.restore(path, log.store), path)


def _tell(verb: str, copied: copying.Copied, path: Path) -> None:
    done = {"path": str(path), **msgspec.structs.asdict(copied)}
    text = f"{verb} {copied.commits:,} commits of {copied.conversations:,} conversations"
    output.document(done, human=lambda: output.say(text))
