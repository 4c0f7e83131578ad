"""`turnlog audit`: conversations on a page for people."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="The conversations.")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="PATH", help="The page to write; in a folder, one for each conversation."
    ),
]
INDEX = "index.csv"


AlsoDeleted = Annotated[
    bool, typer.Option("--deleted", help="Deleted ones too; without ID, list the deletions.")
]
DELETIONS = ("conversation", "life", "event", "time", "actor", "reason")


def audit(ids: Ids = None, out: Out = None, deleted: AlsoDeleted = False) -> None:
    """Write a page about conversations, for people.

    It shows what was said, set, edited and taken back, and whether it is whole.

    Exit status 1 where verifying a conversation finds a fault.
    """
    from turnlog.reports.audit import report

    if deleted and not ids and out is None:
        _list_deletions()
        return
    if not ids or out is None:
        raise typer.BadParameter("name conversations and --out, or give --deleted alone")
    output.leave_stdout_to(out)
    with open_log(readonly=True) as log:
        audited = [_audited(log, id, deleted=deleted) for id in ids]
    if out.is_dir():
        _write_folder(out, audited)
    else:
        output.write(out, report(audited))
    faults = sum(len(one.verification.faults) for one in audited)
    summary = {"out": str(out), "conversations": len(audited), "faults": faults}
    output.document(summary, human=lambda: output.say(f"{out} is written; faults: {faults}"))
    if faults:
        raise typer.Exit(1)


def _list_deletions() -> None:
    """Who deleted which conversation, when and why."""
    with open_log(readonly=True) as log:
        lines = (recorded.as_dict() for recorded in log.deletions())
        told = (_without_first_life({name: line.get(name) for name in DELETIONS}) for line in lines)
        output.lines(told, columns=DELETIONS)


def _without_first_life(line: dict[str, Any]) -> dict[str, Any]:
    """Only a conversation that began anew has lives to be told apart."""
    if line["life"] is None:
        del line["life"]
    return line


def _write_folder(folder: Path, audited: Iterable[Any]) -> None:
    """A page for each, named by its id's digest, and an index of them."""
    import csv

    from turnlog.reports.audit import report
    from turnlog.reports.text import cell, file_name

    index = io.StringIO(newline="")
    rows = csv.writer(index)
    rows.writerow(("file", "conversation", "faults"))
    for one in audited:
        name = file_name(one.id, ".html")
        output.write(folder / name, report([one]))
        rows.writerow((name, cell(one.id), len(one.verification.faults)))
    output.write(folder / INDEX, index.getvalue().encode())


def _audited(log: Any, id: str, *, deleted: bool) -> Any:
    """A conversation as far as it can be read, and what is wrong with it."""
    from turnlog.audit.protocol import protocol
    from turnlog.audit.verify import verify
    from turnlog.errors import StorageError
    from turnlog.reports.audit import ConversationAudit

    verification = verify(log.store, [id])
    events: list[Any] = []
    try:
        log.conversation(id, deleted=deleted)
        events.extend(log.history(id).recorded())
    except StorageError:
        if verification.ok:
            raise
    return ConversationAudit(id, protocol(events), verification)
