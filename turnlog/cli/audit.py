"""`turnlog audit`: a report on conversations or a period."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import actor as this_user
from turnlog.cli.settings import open_log
from turnlog.cli.whom import Maker

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="The conversations.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="PATH",
        help="The report, .html or .pdf; in a folder, one for each conversation.",
    ),
]
AlsoDeleted = Annotated[
    bool, typer.Option("--deleted", help="Include deleted ones; without ID, list the deletions.")
]
Span = Annotated[
    str | None,
    typer.Option("--period", metavar="FROM..TO", help="What the log recorded from FROM to TO."),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--zone", metavar="ZONE", help="Also show times in this zone, such as Europe/Berlin."
    ),
]
INDEX = "index.csv"


def audit(
    ids: Ids = None,
    out: Out = None,
    deleted: AlsoDeleted = False,
    period: Span = None,
    actor: Maker = None,
    zone: Zone = None,
) -> None:
    """Write a report on conversations or on a period.

    It shows dialogue, slots, edits, rewinds, every event and faults.

    Exit status 1 if `verify` finds a fault in a conversation.
    """
    if deleted and not ids and out is None:
        from turnlog.cli.deletions import list_deletions

        list_deletions()
        return
    if out is None or bool(ids) == (period is not None):
        raise typer.BadParameter("name conversations or --period, and --out; or only --deleted")
    output.leave_stdout_to(out)
    if period is not None:
        _write_period(out, period, by=actor, zone=zone)
    else:
        _write_audits(out, ids or [], deleted=deleted, by=actor, zone=zone)


def _write_period(out: Path, span: str, *, by: str | None, zone: str | None) -> None:
    from turnlog.audit.period import Period, figures
    from turnlog.reports.period import period_report

    period = Period.read(span)
    with open_log(readonly=True) as log:
        made = _provenance(log, by, zone)
        found = figures(log, period)
    _write(out, period_report(period, found, made))
    summary = {"out": str(out), "conversations": found.conversations, **found.totals}
    output.document(summary, human=lambda: output.say(f"wrote {out}"))


def _write_audits(
    out: Path, ids: list[str], *, deleted: bool, by: str | None, zone: str | None
) -> None:
    from turnlog.audit.conversation_audit import audited
    from turnlog.domain.streams import UPKEEP
    from turnlog.reports.audit import report

    with open_log(readonly=True) as log:
        made = _provenance(log, by, zone)
        every = [audited(log, id, deleted=deleted) for id in ids]
        upkeep = list(log.history(UPKEEP).recorded())
    if out.is_dir():
        _write_folder(out, every, made, upkeep)
    else:
        _write(out, report(every, made, upkeep))
    faults = sum(len(one.verification.faults) for one in every)
    summary = {"out": str(out), "conversations": len(every), "faults": faults}
    output.document(summary, human=lambda: output.say(f"wrote {out}; faults: {faults}"))
    if faults:
        raise typer.Exit(1)


def _write_folder(folder: Path, audited: list[Any], made: Any, upkeep: list[Any]) -> None:
    """A page for each, named by its id's digest, and an index of them."""
    import csv

    from turnlog.reports.audit import report
    from turnlog.reports.text import cell, file_name

    index = io.StringIO(newline="")
    rows = csv.writer(index)
    rows.writerow(("file", "conversation", "faults"))
    for one in audited:
        name = file_name(one.id, ".html")
        output.write(folder / name, report([one], made, upkeep))
        rows.writerow((name, cell(one.id), len(one.verification.faults)))
    output.write(folder / INDEX, index.getvalue().encode())


def _write(out: Path, page: bytes) -> None:
    if out.suffix.lower() == ".pdf":
        from turnlog.reports.pdf import pdf

        page = pdf(page)
    output.write(out, page)


def _provenance(log: Any, by: str | None, zone: str | None) -> Any:
    from zoneinfo import ZoneInfo

    from turnlog.audit.provenance import provenance

    try:
        return provenance(log, by=by or this_user(), zone=None if zone is None else ZoneInfo(zone))
    except (ValueError, OSError, KeyError) as error:
        raise typer.BadParameter(
            f"--zone {zone!r} is not a time zone such as Europe/Berlin"
        ) from error
