"""`turnlog checkout`: go on from an earlier event, or on another branch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.fork import Reason
from turnlog.cli.settings import Id, open_log
from turnlog.cli.show import AtEvent, AtTurn

Branch = Annotated[
    str | None,
    typer.Argument(metavar="BRANCH", help="A branch: there already, or new.", show_default=False),
]


def checkout(
    id: Id,
    branch: Branch = None,
    at_turn: AtTurn = None,
    at_event: AtEvent = None,
    reason: Reason = None,
) -> None:
    """Go on from an earlier turn, or on another branch.

    A branch that is there goes on where it ended, a new one from the turn or event, or from here.
    Without BRANCH, what came after on this branch is taken back; it stays readable.
    """
    if (branch, at_turn, at_event).count(None) == 3:
        raise typer.BadParameter("give BRANCH, --at-turn or --at-event")
    if at_turn is not None and at_event is not None:
        raise typer.BadParameter("give one of --at-turn and --at-event")
    from turnlog.engine.query import standing

    with open_log() as log:
        recorded = log.checkout(id, branch, turn=at_turn, event=at_event, reason=reason)
    done = standing(id, recorded)
    output.document(done, human=lambda: output.say(_told(done)))


def _told(done: dict[str, Any]) -> str:
    where = f"branch {done['branch']}, turn {done['branch_turn']}"
    if done["to"] is None:
        return f"{done['conversation']} is on {where} already"
    return f"{done['conversation']} goes on from event {done['to']}: {where}"
