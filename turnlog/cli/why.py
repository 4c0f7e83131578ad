"""`turnlog why`: the events that gave a slot its value."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log
from turnlog.cli.show import AtTurn

Slot = Annotated[str, typer.Argument(metavar="SLOT", help="The slot.")]


def why(id: Id, slot: Slot, at_turn: AtTurn = None) -> None:
    """Show the events which, replayed alone, give a slot its value; none for an initial value."""
    from turnlog.audit import why as reasons
    from turnlog.domain.conversation import turns

    with open_log() as log:
        conversation = log.conversation(id, turn=at_turn)
        numbers = reasons.why(conversation.events(), slot)
        found = [
            {"event": number, "turn": turn.number, "type": type(event).__name__}
            for turn in turns(islice(conversation.events(), max(numbers, default=0)))
            for number, event in enumerate(turn.events, turn.first_event)
            if number in numbers
        ]
    output.lines(found, columns=("event", "turn", "type"))
