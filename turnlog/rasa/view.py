"""A stored conversation as Rasa's tracker: the events that it shows, and its state after them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.loops import Numbered, without_repeats
from turnlog.domain.rewinds import applied, kept
from turnlog.domain.state import State
from turnlog.domain.traits import Replacing
from turnlog.engine.log import Turnlog
from turnlog.errors import UnknownConversation
from turnlog.serializers.rasa.state import current_state
from turnlog.serializers.rasa.writer import numbered_to_rasa

_BEGINS: dict[str, type[e.Event] | None] = {
    "AFTER_RESTART": e.ConversationRestarted,
    "SESSION": e.SessionStarted,
    "ALL": None,
}
"""The event with which the shown events begin, by verbosity: Rasa's three, and SESSION, which
Rasa's stores retrieve.
"""


class Tracker(msgspec.Struct):
    """A tracker as served.

    content: Rasa's `current_state()`. event: the number of events in the conversation. after: all
    shown events have greater numbers; 0 if the client must start again. first: number of the first
    event shown; 0 for none.
    """

    content: dict[str, Any]
    event: int
    after: int = 0
    first: int = 0


def tracker(
    log: Turnlog,
    id: str,
    verbosity: str = "AFTER_RESTART",
    *,
    until: float | None = None,
    after: int = 0,
) -> Tracker:
    """A conversation as Rasa's tracker; an unknown conversation has no events.

    until: UTC seconds; later events are omitted. after: number of the event up to which the client
    knows the history; only later events are shown if that history still holds.
    """
    try:
        conversation = log.conversation(id)
    except UnknownConversation:
        return Tracker({**current_state(id, State(), ()), "events": []}, 0)
    state = conversation.state if until is None else _state_until(conversation, until)
    content = current_state(id, state, conversation.event)
    if verbosity == "NONE":
        return Tracker(content, state.event)
    after = after if _holds(conversation, verbosity, after, state.event) else 0
    shown = _shown(conversation, verbosity, state, after)
    content["events"] = [rasa for _, rasa in numbered_to_rasa(shown, Counter())]
    return Tracker(content, state.event, after, shown[0][0] if shown else 0)


def _state_until(conversation: Conversation, until: float) -> State:
    """The state before the first event that is later, as in Rasa's time travel."""
    number = 0
    for event in conversation.events():
        if event.timestamp is not None and event.timestamp > until:
            break
        number += 1
    return conversation.at(number).state


def _shown(conversation: Conversation, verbosity: str, state: State, after: int) -> list[Numbered]:
    newest_first = _upto(conversation, state.event, after)
    if verbosity == "APPLIED":
        clears = (e.ConversationRestarted, e.SessionStarted)
        counting = [item for item in applied(newest_first) if not isinstance(item[1], clears)]
        return without_repeats(counting[::-1], state.loops)
    begins = _BEGINS[verbosity]
    shown: list[Numbered] = []
    for item in kept(newest_first, Replacing):
        if begins is not None and isinstance(item[1], begins):
            if verbosity == "SESSION":
                shown.append(item)
            break
        shown.append(item)
    return shown[::-1]


def _upto(conversation: Conversation, upto: int, after: int) -> Iterator[Numbered]:
    if after:
        recent = list(zip(range(after + 1, upto + 1), conversation.events(after), strict=False))
        yield from reversed(recent)
        return
    for recorded in conversation.newest_first():
        if recorded.number <= upto:
            yield recorded.number, recorded.event


def _holds(conversation: Conversation, verbosity: str, after: int, last: int) -> bool:
    """Whether the client's history up to `after` is the beginning of what the tracker shows."""
    if not 0 < after <= last or verbosity == "APPLIED":
        return False
    breaks = tuple(kind for kind in (*get_args(Replacing), _BEGINS[verbosity]) if kind)
    return not any(isinstance(event, breaks) for event in conversation.events(after))
