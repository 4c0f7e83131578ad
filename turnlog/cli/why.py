"""`turnlog why`: what led to a slot's value, an action or a message."""

from __future__ import annotations

from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log
from turnlog.cli.show import AtTurn

COLUMNS = ("event", "turn", "type", "value", "text", "actor")

Slot = Annotated[str | None, typer.Argument(metavar="[SLOT]", help="The slot.")]
OfEvent = Annotated[
    int | None, typer.Option("--event", metavar="N", help="An event instead of a slot.")
]


def why(id: Id, slot: Slot = None, at_turn: AtTurn = None, event: OfEvent = None) -> None:
    """Show what led to a slot's value, or to an event.

    That is what was said, understood, called and returned, and what set, restored or cleared it.
    """
    from turnlog.audit import why as reasons

    if (slot is None) == (event is None):
        raise typer.BadParameter("pass SLOT or --event N")
    if event is not None and at_turn is not None:
        raise typer.BadParameter("--at-turn is only for SLOT")
    with open_log(readonly=True) as log:
        conversation = log.conversation(id, turn=at_turn)
        if event is not None:
            chain = reasons.why_event(conversation, event)
        else:
            chain = reasons.why(conversation, slot or "")
        output.lines((link.as_dict() for link in chain), columns=COLUMNS)
