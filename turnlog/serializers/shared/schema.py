"""The slots that a conversation may have; setting any other stops an export."""

from __future__ import annotations

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError


def check_slots(dialogue: Dialogue) -> None:
    """Raises FormatError, naming the turn, for an undeclared slot if the conversation declares its
    slots.

    A data set's conversation declares its services: a slot `service.slot` belongs to one of them.
    """
    declared: set[str] | None = None
    services: list[str] | None = None
    for turn, event in ((t.number, event) for t in dialogue.turns() for event in t.events):
        if isinstance(event, e.SlotsDeclared):
            names = {slot.name for slot in event.slots}
            declared = (declared or set()) | names if event.closed else None
        elif isinstance(event, e.ConversationAnnotated) and event.services is not None:
            services = event.services
        elif isinstance(event, e.SlotSet) and _unknown(event.name, declared, services):
            why = "is not a slot of the conversation's schema"
            raise FormatError(why, conversation=dialogue.name, turn=turn, field=event.name)


def _unknown(name: str, declared: set[str] | None, services: list[str] | None) -> bool:
    if declared is not None:
        return name not in declared
    service, dot, _ = name.partition(".")
    return services is not None and bool(dot) and service not in services
