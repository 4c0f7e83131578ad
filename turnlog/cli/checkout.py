"""`turnlog checkout`: continues from an earlier event, or on another branch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.fork import Reason
from turnlog.cli.settings import Id, open_log
from turnlog.cli.show import AtEvent, AtTurn

Branch = Annotated[
    str | None,
    typer.Argument(metavar="BRANCH", help="An existing branch, or a new one.", show_default=False),
]


def checkout(
    id: Id,
    branch: Branch = None,
    at_turn: AtTurn = None,
    at_event: AtEvent = None,
    reason: Reason = None,
) -> None:
    """Continue from an earlier turn or event, or on a branch.

    An existing branch continues where it ended, a new one from the turn or event, or from the end.
    Without BRANCH, later events are rewound; they stay readable.
    """
    if (branch, at_turn, at_event).count(None) == 3:
        raise typer.BadParameter("pass BRANCH, --at-turn or --at-event")
    if at_turn is not None and at_event is not None:
        raise typer.BadParameter("pass only one of --at-turn and --at-event")
    from turnlog.engine.query import standing

    with open_log() as log:
        recorded = log.checkout(id, branch, turn=at_turn, event=at_event, reason=reason)
    done = standing(id, recorded)
    output.document(done, human=lambda: output.say(_in_words(done)))


def _in_words(done: dict[str, Any]) -> str:
    where = f"branch {done['branch']}, turn {done['branch_turn']}"
    if done["to"] is None:
        return f"{done['conversation']} is on {where} already"
    return f"{done['conversation']} continues from event {done['to']}: {where}"
