"""`turnlog why`: the events that gave a slot its value."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log
from turnlog.cli.show import AtTurn

SAID = ("value", "text", "actor")
"""What is shown of a cause where it has it."""

Slot = Annotated[str, typer.Argument(metavar="SLOT", help="The slot.")]


def why(id: Id, slot: Slot, at_turn: AtTurn = None) -> None:
    """Show the events that gave a slot its value.

    Replayed alone, they give it; an initial value has none.
    """
    from turnlog.audit import why as reasons

    with open_log(readonly=True) as log:
        conversation = log.conversation(id, turn=at_turn)
        numbers = reasons.why(conversation.events(), slot)
        if not numbers:
            _check_known(conversation, slot)
        causes = [_cause(each) for each in conversation.recorded() if each.number in numbers]
    output.lines(causes, columns=("event", "turn", "type", *SAID))


def _cause(recorded: Any) -> dict[str, Any]:
    line = recorded.as_dict()
    said = {name: line[name] for name in SAID if line.get(name) is not None}
    return {"event": line["event"], "turn": line["turn"], "type": line["type"], **said}


def _check_known(conversation: Any, slot: str) -> None:
    """Raise ConversationError for a slot that was never declared or set, taken back or not."""
    from difflib import get_close_matches

    from turnlog.domain.events import SlotSet
    from turnlog.errors import ConversationError

    names = {event.name for event in conversation.events() if isinstance(event, SlotSet)}
    names |= {*conversation.state.declared, *conversation.state.context.slots}
    if slot not in names:
        near = get_close_matches(slot, names, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ConversationError(conversation.id, f"there is no slot {slot!r}{meant}")
