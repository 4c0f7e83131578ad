"""`turnlog why`: the events that gave a slot its value."""

from __future__ import annotations

from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log
from turnlog.cli.show import AtTurn

Slot = Annotated[str, typer.Argument(metavar="SLOT", help="The slot.")]


def why(id: Id, slot: Slot, at_turn: AtTurn = None) -> None:
    """Show the events that gave a slot its value.

    Replayed alone, they give it; an initial value has none.
    """
    from turnlog.audit import why as reasons

    with open_log() as log:
        conversation = log.conversation(id, turn=at_turn)
        numbers = reasons.why(conversation.events(), slot)
        causes = [
            {"event": cause.number, "turn": cause.turn, "type": type(cause.event).__name__}
            for cause in conversation.recorded()
            if cause.number in numbers
        ]
    output.lines(causes, columns=("event", "turn", "type"))
