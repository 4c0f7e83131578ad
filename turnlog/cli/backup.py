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

To = Annotated[Path, typer.Argument(metavar="PATH", help="The file to write; a SQLite log.")]
From = Annotated[Path, typer.Argument(metavar="PATH", help="A backup, or any SQLite log.")]


def backup(path: To) -> None:
    """Copy the log to a file, while it goes on being written.

    A sealed log is copied sealed: the copy needs the same key store, which is not in it.
    """
    from turnlog.storage import copying

    output.leave_stdout_to(path)
    with _as_stored() as store:
        _warn(store)
        _tell("copied", copying.backup(store, path), path)


@contextmanager
def _as_stored() -> Iterator[Recorder]:
    """What is copied; of a sealed log without its keys, which a copy does not need."""
    from turnlog.keys.opening import key_store_of

    with closing(open_sealed(readonly=True)) as store:
        if settings().keys is None and key_store_of(store.reader) is not None:
            yield store
            return
    with open_log(readonly=True) as log:
        yield log.store.beneath


Over = Annotated[bool, typer.Option("--over", help="Replace the SQLite log that is there.")]


def restore(path: From, over: Over = False) -> None:
    """Fill an empty log from a backup.

    Row for row, so that it verifies as before. --over puts it in the place of a log that nobody
    has open, damaged or not, which is gone then.
    """
    from turnlog.storage import copying

    if over:
        _restore_over(path)
        return
    with (
        copying.opened(path) as source,
        or_no_log(),
        closing(open_sealed(create=True)) as store,  # no log yet, which would note what it lost
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
    """Say what is copied where it may be less than there was."""
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
