"""`turnlog access`: who read what of a log, and whether it records that."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import actor as this_user
from turnlog.cli.settings import open_log

COLUMNS = ("time", "actor", "way", "conversations", "reason")


class Switch(Enum):
    """Values of --record."""

    ON = "on"
    OFF = "off"


Id = Annotated[str | None, typer.Argument(metavar="[ID]", help="Only this conversation.")]
Record = Annotated[
    Switch | None, typer.Option("--record", help="Begin or stop recording who reads.")
]
Actor = Annotated[
    str | None,
    typer.Option("--actor", metavar="A", help="Who decides it; default: your user name."),
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Recorded with it.")]


def access(
    id: Id = None, record: Record = None, actor: Actor = None, reason: Reason = None
) -> None:
    """Show who read what, if the log records it.

    With --record on, commands, pages and the API record each reading before they show anything: who
    (TURNLOG_ACTOR, else the user; the name in a token), what, and why (TURNLOG_REASON; the header
    Turnlog-Reason).
    """
    from turnlog.engine.access import accesses, set_recording

    if record is None:
        with open_log(readonly=True) as log:
            output.lines(accesses(log, id), columns=COLUMNS)
        return
    if id is not None:
        raise typer.BadParameter("--record is for the whole log; omit ID")
    with open_log() as log:
        set_recording(log, on=record is Switch.ON, actor=actor or this_user(), reason=reason)
    done = {"recording": record is Switch.ON}
    output.document(done, human=lambda: output.say(f"recording of readers: {record.value}"))
