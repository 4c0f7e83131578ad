"""`turnlog export`: writes conversations to files, for training or for other systems."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from turnlog.cli import output
from turnlog.cli.export_options import ChosenPast, FormatSettings, Parting, Pseudonyms
from turnlog.cli.exported import tell
from turnlog.cli.options import valued
from turnlog.cli.settings import Ids, actor, open_log, settings
from turnlog.domain.amounts import amount
from turnlog.serializers.formats import WRITABLE, listed

if TYPE_CHECKING:
    from turnlog.training.card.card import Card
    from turnlog.training.records.ledger import Ledger
    from turnlog.training.running.processes import Pool
    from turnlog.training.running.run import Progress

EPILOG = listed(WRITABLE)

Format = Annotated[
    str | None,
    typer.Option("--format", metavar="F", help="One of those below.", show_default=False),
]
Out = Annotated[
    Path | None, valued("--out", "PATH", "The file to write; with --split, the folder.")
]
To = Annotated[str | None, valued("--to", "WHOM", "The recipient, recorded in the log.")]
Unrecorded = Annotated[
    bool,
    typer.Option("--unrecorded", help="Do not record it in the log; the manifest says so."),
]
Without = Annotated[
    str | None,
    valued(
        "--without", "PERSON", "Make an export again without this person; pass its manifest as ID."
    ),
]
Jobs = Annotated[
    int, typer.Option("--jobs", metavar="N", min=1, help="Processes, for one file of everything.")
]
Verify = Annotated[Path | None, valued("--verify", "MANIFEST", "Make an export again and compare.")]


class RecordingOptions(NamedTuple):
    """The options that decide how the export is recorded."""

    to: To = None
    unrecorded: Unrecorded = False


def export(
    ids: Ids = None,
    format: Format = None,
    out: Out = None,
    *,
    past: ChosenPast,
    parting: Parting,
    form: FormatSettings,
    pseudonyms: Pseudonyms,
    recording: RecordingOptions,
    without: Without = None,
    jobs: Jobs = 1,
    verify: Verify = None,
) -> None:
    """Write conversations to a file, with a manifest.

    The manifest says where each example comes from. The log records what each recipient received,
    so that recipients can be informed of an erasure.
    """
    if verify is not None:
        _verify(verify)
        return
    if without is not None:
        _without(without, ids or [], out, _ledger(*recording), parting.read_card())
        return
    if format is None or out is None:
        raise typer.BadParameter("pass --format and --out")
    parting.check()
    output.leave_stdout_to(out)
    _note_jobs_without_effect(jobs, parting, ids)
    from turnlog.training.plan import ExportPlan
    from turnlog.training.write import export as write

    with open_log(readonly=True) as log, _ledger(*recording) as ledger, _progress() as progress:
        last = log.store.reader.last_position()
        chosen = sorted(set(ids)) if ids else None
        fields = {**past.fields(last), **parting.fields(), **pseudonyms.fields(format)}
        plan = ExportPlan(format, ids=chosen, settings=form.given(), **fields)
        card, pool = parting.read_card(), _pool(jobs)
        totals = write(log, plan, out, progress=progress, ledger=ledger, card=card, pool=pool)
    tell(totals, plan, out)


def _note_jobs_without_effect(jobs: int, parting: Parting, ids: list[str] | None) -> None:
    if jobs > 1 and (parting.split or ids):
        output.note("--jobs has no effect with --split or ids; one process makes the examples")


def _pool(jobs: int) -> Pool | None:
    from turnlog.engine.opening import open
    from turnlog.training.running.processes import Pool

    asked = settings()
    return Pool(jobs, partial(open, asked.db, readonly=True, keys=asked.keys)) if jobs > 1 else None


def _without(
    person: str,
    manifests: list[str],
    out: Path | None,
    recorded: AbstractContextManager[Any],
    card: Card | None,
) -> None:
    if len(manifests) != 1:
        raise typer.BadParameter("--without needs a person and the manifest of one export")
    from turnlog.training.remaking import without

    with open_log(readonly=True) as log, recorded as ledger, _progress() as progress:
        old = Path(manifests[0])
        made = without(log, person, old, out, progress=progress, ledger=ledger, card=card)
    tell(*made)


@contextmanager
def _ledger(recipient: str | None, unrecorded: bool) -> Iterator[Ledger | None]:
    """The record of exports; None if the export must not or cannot be recorded."""
    from turnlog.errors import StorageError
    from turnlog.training.records.ledger import Ledger

    if unrecorded:
        yield None
        return
    try:
        log = open_log()
    except StorageError as error:
        output.note(f"the export is not recorded: {error}")
        yield None
        return
    with log:
        yield Ledger(log, recipient, actor())


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress line on stderr, if it is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console

    with Console(stderr=True).status("exporting") as status:
        yield lambda done: status.update(amount(done, "conversation"))


def _verify(manifest: Path) -> None:
    """Prints the findings. Exit status 1 if there are any."""
    from msgspec import to_builtins

    from turnlog.training.verify import verify

    with open_log(readonly=True) as log, _progress() as progress:
        findings = [to_builtins(finding) for finding in verify(log, manifest, progress=progress)]
    output.document(
        {"ok": not findings, "findings": findings},
        human=lambda: (
            output.table(("file", "conversation", "events", "what"), _rows(findings))
            if findings
            else output.say("every example and file follows from the log")
        ),
    )
    if findings:
        raise typer.Exit(1)


def _rows(findings: list[dict[str, Any]]) -> Iterator[list[Any]]:
    for finding in findings:
        yield [finding["file"], finding["conversation"], finding["events"], finding["what"]]
