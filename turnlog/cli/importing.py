"""`turnlog import`: stores the conversations of files and folders."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log, or_no_log
from turnlog.domain.amounts import amount
from turnlog.serializers.formats import READABLE, listed

if TYPE_CHECKING:
    from turnlog.engine.importing import Imported, Progress

EPILOG = listed(READABLE)
INTERRUPTED = 130
ENDING = b"ending after this conversation; Ctrl-C again ends at once\n"
SHOWN = 20
"""Refused conversations and skipped files that are named for people; the rest is counted."""

Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files and folders; also database URLs.")
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="F", help="One of those below; default: recognised."),
]
Prefix = Annotated[
    str, typer.Option("--id-prefix", metavar="P", help="A prefix for every conversation's id.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Store nothing; say what would be stored.")]
Domain = Annotated[
    Path | None,
    typer.Option("--domain", metavar="PATH", help="rasa-*: a domain.yml that declares slots."),
]
MaxBytes = Annotated[
    int | None,
    typer.Option(
        "--max-conversation", metavar="BYTES", help="Refuse larger conversations (64000000)."
    ),
]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="Processes that read JSON.")]


def import_(
    paths: Paths,
    format: Format = None,
    id_prefix: Prefix = "",
    dry_run: DryRun = False,
    max_conversation: MaxBytes = None,
    domain: Domain = None,
    jobs: Jobs = 1,
) -> None:
    """Store the conversations of files and folders.

    Known events are stored once; conversations with new events are extended.
    """
    from turnlog.engine.importing import import_files
    from turnlog.serializers.shared.codec import Limits

    limits = Limits(max_conversation) if max_conversation else Limits()
    with or_no_log():
        with (
            open_log(create=not dry_run, readonly=dry_run) as log,
            _progress() as progress,
            _ctrl_c() as stopped,
        ):
            done = import_files(
                log,
                paths,
                format=format,
                id_prefix=id_prefix,
                dry_run=dry_run,
                limits=limits,
                settings={"domain": domain} if domain else None,
                progress=progress,
                stopped=stopped,
                jobs=jobs,
            )
        output.document(_described(done), human=lambda: _print(done, dry_run=dry_run))
        _leave(done, stopped=stopped())


def _leave(done: Imported, *, stopped: bool) -> None:
    """The result, with its exit status."""
    if stopped:
        output.note("interrupted: what is counted is stored; run the same command again to resume")
        raise typer.Exit(INTERRUPTED)
    if done.refused:
        raise typer.Exit(2)


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed: the first lets the import finish its commit, the next
    stops it.
    """
    pressed: list[int] = []

    def note(signum: int, frame: object) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(signum)
        os.write(2, ENDING)  # safe in the middle of another write

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress line on stderr, if it is a terminal."""
    if not sys.stderr.isatty():
        yield lambda path, events: None
        return
    from rich.console import Console

    with Console(stderr=True).status("reading") as status:
        yield lambda path, events: status.update(f"{path.name}: {amount(events, 'event')}")


def _described(done: Imported) -> dict[str, Any]:
    from msgspec import to_builtins

    described: dict[str, Any] = to_builtins(done)
    if not done.notes:
        del described["notes"]
    return described


def _print(done: Imported, *, dry_run: bool) -> None:
    would = "would store" if dry_run else "stored"
    output.say(
        f"{would} {amount(done.conversations, 'conversation')}, {amount(done.events, 'event')};"
        f" {done.unchanged:,} unchanged, {done.extended:,} extended,"
        f" {len(done.refused):,} refused, {amount(len(done.skipped), 'file')} skipped"
    )
    for kind, count in done.unknown.items():
        output.say(f"unknown type {kind}: {amount(count, 'event')}, stored unchanged")
    for note in done.notes[:SHOWN]:
        output.note(f"note: {_one_line(note)}")
    if len(done.notes) > SHOWN:
        output.note(f"… and {len(done.notes) - SHOWN:,} more; --json gives all notes")
    for refused in done.refused[:SHOWN]:
        output.note(f"refused: {_one_line(refused)}")
    for skipped in done.skipped[:SHOWN]:
        output.note(f"skipped: {skipped}: no format recognises it")
    if (left := max(len(done.refused), len(done.skipped)) - SHOWN) > 0:
        output.note(f"… and {left:,} more; --json names all of them")


def _one_line(refused: Any) -> str:
    from turnlog.errors import FormatError

    place = {name: getattr(refused, name) for name in ("file", "line", "conversation", "field")}
    return str(FormatError(refused.why, **place))
