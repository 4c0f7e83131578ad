"""The engine's own commands: given events, and whole dialogues."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from turnlog.domain.amounts import amount
from turnlog.domain.arguments import check_numbers
from turnlog.domain.conversation import Past
from turnlog.domain.decide import decide
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event, EventErased, HistoryContinued, OriginDeleted
from turnlog.domain.history import NoHistory
from turnlog.domain.lineage import MAIN
from turnlog.domain.redactions import Redactions
from turnlog.domain.state import State
from turnlog.domain.values import same
from turnlog.encoding.checking import checked
from turnlog.engine.request import Command
from turnlog.errors import FormatError, InvalidEvent, OutOfRange


def recording(events: Sequence[Event]) -> Command:
    """Asks for these events, in any state of the conversation."""
    return lambda state, past: events


class Checkout(msgspec.Struct, frozen=True):
    """Where to continue: from an event, from the end of a turn, or on a branch."""

    branch: str | None = None
    event: int | None = None
    turn: int | None = None
    reason: str | None = None


def going_on(conversation: str, asked: Checkout) -> Command:
    """Asks to continue there; for nothing if the conversation is on that branch already."""
    branch, event, turn = asked.branch, asked.event, asked.turn
    check_numbers(conversation, turn=turn, event=event)
    if event is not None and turn is not None:
        raise OutOfRange(conversation, "pass either a turn or an event")
    if branch is None and event is None and turn is None:
        raise OutOfRange(conversation, "pass the branch, event or turn to continue from")

    def command(state: State, past: Past) -> Sequence[Event]:
        to = event
        if turn is not None:
            to = past.state_after_turn(turn, going_on=False).event
        if to is None and branch == (state.lineage.branch or MAIN):
            return ()
        if to is None:
            to = state.lineage.left.get(branch or MAIN, state.event)
        return (HistoryContinued(to, branch=branch, reason=asked.reason),)

    return command


def importing(dialogue: Dialogue) -> Command:
    """Asks for the events of a dialogue that are not stored yet.

    None if the same events are stored, the rest if the stored events are its beginning, otherwise a
    FormatError.
    """
    return lambda state, past: _missing(dialogue, state, past)


def _missing(dialogue: Dialogue, state: State, past: Past) -> Sequence[Event]:
    if state.deleted:
        raise InvalidEvent(dialogue.name, "conversation", "was deleted; it accepts no more events")
    shared = dialogue.first_event - 1
    if shared and dialogue.origin is None:
        why = f"begins with event {dialogue.first_event}; an import stores only whole conversations"
        raise FormatError(why, conversation=dialogue.name)
    if not dialogue.events:
        raise FormatError("has no events", conversation=dialogue.name)
    check_complete(dialogue)
    if state.event == 0:
        return dialogue.events
    if shared not in (0, state.lineage.shared):
        why = f"exists already and shares {state.lineage.shared} events, not {shared}"
        raise FormatError(why, conversation=dialogue.name, field="first_event")
    asked, before = checked(dialogue.name, dialogue.events), past.state(shared)
    history = past if shared else NoHistory()
    coming, _ = decide(dialogue.name, before, asked, history=history)
    _check_prefix(dialogue, coming, state, past)
    return asked[state.event - shared :]


def check_complete(dialogue: Dialogue) -> None:
    """Raise FormatError if some of its events are gone: the rest is not a conversation."""
    for number, event in dialogue.numbered():
        if isinstance(event, EventErased):
            why = f"the content of event {number} is gone, with its origin or by an erasure"
            raise FormatError(why, conversation=dialogue.name, field="EventErased")
        if isinstance(event, OriginDeleted):
            why = f"its past up to event {event.event} is gone with its origin, which was deleted"
            raise FormatError(why, conversation=dialogue.name, field="OriginDeleted")


def check_fork(dialogue: Dialogue) -> None:
    """Raise FormatError if a fork's events do not say that it continues from those before."""
    begin, shared = next(iter(dialogue.events), None), dialogue.first_event - 1
    if not (isinstance(begin, HistoryContinued) and begin.event == shared > 0):
        why = f"names {dialogue.origin!r}, but its first event does not continue from there"
        raise FormatError(why, conversation=dialogue.name, field="origin")


def _imported(event: Event) -> Event:
    """As an import records it: a fork with its past gets no origin."""
    return replace(event, conversation=None) if isinstance(event, HistoryContinued) else event


def _check_prefix(dialogue: Dialogue, coming: Sequence[Event], state: State, past: Past) -> None:
    """Raise FormatError unless the stored events are those of the dialogue, or their beginning."""
    redactions = past.redactions() if state.redacted else Redactions(())
    name, first = dialogue.name, dialogue.first_event
    for number, stored in enumerate(map(_imported, past.events(first - 1)), first):
        if number >= first + len(coming):
            stored_events = amount(state.event, "event")
            why = f"has {stored_events} stored, but only {number - 1} in the file"
            raise FormatError(why, conversation=name)
        comes = coming[number - first]
        if not same(stored, comes) and not same(redactions.shown(number, stored), comes):
            why = f"exists with another event {number}; store it under another id: --id-prefix"
            raise FormatError(why, conversation=name, field=type(stored).__name__)
