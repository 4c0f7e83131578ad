"""Why a slot has its value, or an action or a message came: the chain of events behind it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Literal

import msgspec

from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.sources import Understanding, sources
from turnlog.domain.traits import AboutMessage, Clearing, Rewind, Utterance
from turnlog.domain.values import same
from turnlog.errors import ConversationError, OutOfRange

Role = Literal[
    "said", "understood", "called", "returned", "declared", "set", "restored", "cleared", "done"
]


class CauseLink(msgspec.Struct, frozen=True):
    """One event of a chain, and its role there."""

    role: Role
    recorded: RecordedEvent

    @property
    def event(self) -> int:
        """The event's number in the conversation."""
        return self.recorded.number

    @property
    def value(self) -> Any:
        """What the event passed on: a slot's value, entities, arguments or a result; else None."""
        event = self.recorded.event
        if isinstance(event, Understanding):
            return [entity.value for entity in event.entities] or None
        for name in ("value", "arguments", "result"):
            if (held := getattr(event, name, None)) is not None:
                return held
        return None

    def as_dict(self) -> dict[str, Any]:
        """The line that `turnlog why --json` prints."""
        recorded = self.recorded
        line = {
            "event": recorded.number,
            "turn": recorded.turn,
            "type": type(recorded.event).__name__,
        }
        more = {
            "value": self.value,
            "text": getattr(recorded.event, "text", None),
            "actor": recorded.actor,
        }
        return line | {name: held for name, held in more.items() if held is not None}


def why(conversation: Conversation, slot: str) -> list[CauseLink]:
    """What led to a slot's value at the conversation's moment, in the order of recording.

    The chain has the roles said, understood, called and returned, then the event that set, cleared
    or declared the slot, and a rewind that restored its value. It is empty for a declared slot
    without a value. Redacted events are not in it. The time does not grow with the conversation.
    Raises ConversationError for an unknown slot, naming a similar one.
    """
    state = conversation.state
    since, rewind = state.context.since.get(slot, 0), state.touched.get(slot, (0, 0))[1]
    links = _gave(conversation, slot, since) if since else []
    if rewind > since:
        if not since and slot in state.slots:
            links = [_declared(conversation.at(rewind), slot)]
        role: Role = "restored" if slot in state.slots else "cleared"
        links.append(CauseLink(role, _recorded(conversation, rewind)))
    if not links:
        _check_known(conversation, slot)
    return sorted(links, key=lambda link: link.event)


def why_event(conversation: Conversation, number: int) -> list[CauseLink]:
    """What led to an event; the event itself comes last.

    Raises OutOfRange if the event does not exist.
    """
    last = conversation.state.event
    if not 1 <= number <= last:
        raise OutOfRange(conversation.id, f"event {number} does not exist; the last is {last}")
    event = _recorded(conversation, number)
    return [*_led_to(conversation, event), CauseLink(_role(event.event), event)]


def deciding(chain: Sequence[CauseLink]) -> list[int]:
    """Numbers of the events of a slot's chain which, folded alone, give its value.

    One number; two if the slot's declaration changed the form of the value; none without a value.
    """
    gave = [link.event for link in chain if link.role in ("set", "declared")]
    return [] if chain and chain[-1].role == "cleared" else gave


def _gave(conversation: Conversation, slot: str, number: int) -> list[CauseLink]:
    """What led to the event that gave the slot its value or cleared it, and that event."""
    at = conversation.at(number)
    recorded = _recorded(conversation, number)
    event, value = recorded.event, at.slots.get(slot)
    if isinstance(event, e.SlotsDeclared):
        return [CauseLink("declared", recorded)]
    is_set = isinstance(event, e.SlotSet)
    as_given = value is None or (isinstance(event, e.SlotSet) and same(event.value, value))
    declared = [] if as_given else [_declared(at, slot)]
    role: Role = "cleared" if value is None else "set" if is_set else "restored"
    return [*declared, *_led_to(conversation, recorded), CauseLink(role, recorded)]


def _declared(at: Conversation, slot: str) -> CauseLink:
    """The slot's declaration in force at that moment."""
    return CauseLink("declared", _recorded(at, at.state.declared_in[slot]))


def _led_to(conversation: Conversation, event: RecordedEvent) -> list[CauseLink]:
    """The events that an event follows from."""
    if isinstance(event.event, e.UserUttered):
        return []
    before = _answer(conversation.at(event.number - 1), event)
    numbers = {*sources(event.number, event.event, [(r.number, r.event) for r in before])}
    said = [r for r in before[:1] if isinstance(r.event, e.UserUttered)]
    links = [CauseLink(_role(r.event), r) for r in before if r.number in numbers]
    return [*(CauseLink("said", each) for each in said), *links]


def _answer(at: Conversation, event: RecordedEvent) -> list[RecordedEvent]:
    """The events since the message that an event answers, without rewound ones.

    Without such a message, the events of its turn.
    """
    message = _message(at, event.event)
    found: list[RecordedEvent] = []
    for recorded in at.newest_first():
        if recorded.number < message or (not message and recorded.turn < event.turn):
            break
        if recorded.taken_back is None or recorded.number == message:
            found.append(recorded)
    return found[::-1]


def _message(at: Conversation, event: e.Event) -> int:
    """Number of the user's message that the event answers; 0 for none.

    The event's causes decide, else the message that it is about, else the latest message.
    """
    about = event.message if isinstance(event, AboutMessage) else None
    cause, last = event.cause or about, at.state.event + 1
    while cause is not None and 0 < cause < last:
        named, last = at.event(cause), cause
        if isinstance(named, e.UserUttered):
            return cause
        cause = None if named is None else named.cause
    latest = at.state.context.latest_message
    return 0 if latest is None else latest.event


def _recorded(conversation: Conversation, number: int) -> RecordedEvent:
    return next(conversation.at(number).newest_first())


def _role(event: e.Event) -> Role:
    for kind, role in _ROLES:
        if isinstance(event, kind):
            return role
    return "done"


_ROLES: tuple[tuple[Any, Role], ...] = (
    (Utterance, "said"),
    (Understanding, "understood"),
    (e.ToolCalled, "called"),
    (e.ToolReturned, "returned"),
    (e.SlotsDeclared, "declared"),
    (e.SlotSet, "set"),
    (e.SlotsReset | Clearing, "cleared"),
    (Rewind, "restored"),
)


def _check_known(conversation: Conversation, slot: str) -> None:
    """Raises ConversationError for a slot that was never declared or set, even if rewound since."""
    state = conversation.state
    names = {*state.declared, *state.touched}
    if slot not in names:
        near = get_close_matches(slot, names, n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ConversationError(conversation.id, f"unknown slot {slot!r}{meant}")
