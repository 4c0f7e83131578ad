"""`turnlog fork`: another conversation that shares the past of one."""

from __future__ import annotations

from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log
from turnlog.cli.show import AtEvent, AtTurn
from turnlog.domain.amounts import amount

As = Annotated[str, typer.Option("--as", metavar="NEW", help="The fork's id.")]
Trial = Annotated[
    bool, typer.Option("--trial", help="An experiment that commands with --all skip.")
]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Recorded with it.")]


def fork(
    id: Id,
    as_: As,
    at_turn: AtTurn = None,
    at_event: AtEvent = None,
    trial: Trial = False,
    reason: Reason = None,
) -> None:
    """Begin a conversation that shares this one's past.

    The past ends at a turn or event, or now. Nothing is copied. What is redacted or deleted in the
    origin is hidden in its forks.
    """
    if at_turn is not None and at_event is not None:
        raise typer.BadParameter("pass only one of --at-turn and --at-event")
    with open_log() as log:
        recorded = log.fork(id, turn=at_turn, event=at_event, as_=as_, trial=trial, reason=reason)
    shared, turn = recorded.commits[0].first_event - 1, recorded.state.turn
    done = {"conversation": as_, "origin": id, "event": shared, "turn": turn, "trial": trial}
    text = f"{as_} shares {amount(shared, 'event')} of {id}, up to turn {turn}"
    output.document(done, human=lambda: output.say(text))
