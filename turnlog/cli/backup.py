"""`turnlog backup` and `turnlog restore`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log, open_sealed, or_no_log, settings
from turnlog.domain.amounts import amount, apart

if TYPE_CHECKING:
    from turnlog.storage.copying import Copied
    from turnlog.storage.recorder import Recorder

To = Annotated[Path, typer.Argument(metavar="PATH", help="The file to write, a SQLite log.")]
From = Annotated[Path, typer.Argument(metavar="PATH", help="A backup, or any SQLite log.")]


def backup(path: To) -> None:
    """Copy the log as it is now to a file.

    Others can write to the log meanwhile. A sealed log is copied sealed. The copy needs the same
    key store, which it does not contain.
    """
    from turnlog.storage import copying

    output.leave_stdout_to(path)
    with _as_stored() as store:
        _warn(store)
        _tell("copied", copying.backup(store, path), path)


@contextmanager
def _as_stored() -> Iterator[Recorder]:
    """Copies the log; a sealed one without its keys, which a copy does not need."""
    from turnlog.keys.opening import key_store_of

    with closing(open_sealed(readonly=True)) as store:
        if settings().keys is None and key_store_of(store.reader) is not None:
            yield store
            return
    with open_log(readonly=True) as log:
        yield log.store.beneath


Over = Annotated[bool, typer.Option("--over", help="Replace an existing SQLite log.")]


def restore(path: From, over: Over = False) -> None:
    """Fill an empty log from a backup.

    The rows are copied unchanged, so the log verifies as before. --over permanently replaces a
    SQLite log that no process has open, damaged or not.
    """
    from turnlog.storage import copying

    if over:
        _restore_over(path)
        return
    with (
        copying.opened(path) as source,
        or_no_log(),
        closing(
            open_sealed(create=True)
        ) as store,  # not yet a log, which would record what it lost
    ):
        _warn(source)
        _tell("restored", copying.copy(source, store), path)


def _restore_over(path: Path) -> None:
    from turnlog.errors import StorageError
    from turnlog.storage.replacing import restore_over
    from turnlog.storage.urls import sqlite_path

    if (database := sqlite_path(settings().db)) is None:
        raise StorageError(f"{settings().db!r}: --over replaces the file of a SQLite log")
    _tell("restored", restore_over(path, Path(database)), path)


def _warn(source: Recorder) -> None:
    """Says how much is copied if it may be less than there was."""
    from turnlog.storage.end import End

    if (what := End(source).missed(source.reader)) is not None:
        output.note(f"{source.url}: {what}")


def _tell(verb: str, copied: Copied, path: Path) -> None:
    from msgspec.structs import asdict

    done = {"path": str(path), **asdict(copied)}
    commits = amount(copied.commits, "commit")
    held = apart(copied.attachments, copied.attached_bytes)
    text = f"{verb} {commits} of {amount(copied.conversations, 'conversation')}{held}"
    output.document(done, human=lambda: output.say(text))
