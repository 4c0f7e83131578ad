"""Apply: events written into a state, in order; what each of them does is in `effects`.

Where Rasa's replay and its incremental update disagree, this is the incremental one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import Context
from turnlog.domain.effects import actions, messages, people, sessions, threads
from turnlog.domain.effects.slots import note_going_back
from turnlog.domain.state import LISTEN, RESTART, State
from turnlog.domain.traits import Replacing, Rewind, Rewrite

REWINDS: frozenset[type[e.Event]] = frozenset(get_args(Rewind))
REWRITES: frozenset[type[e.Event]] = frozenset(get_args(Rewrite))


def advance(state: State, events: Iterator[e.Event]) -> Rewind | None:
    """Write the effect of events, oldest first, into a state that nobody else holds.

    Stops after an event that goes back and gives it: what was there is for the caller to give.
    """
    effect_of = _EFFECTS.get
    started, last = state.started, state.last
    rewind: Rewind | None = None
    for event in events:
        state.event += 1
        if (time := event.timestamp) is not None:
            last = time
            if started is None:
                started = time
        if (effect := effect_of(type(event))) is not None:
            effect(state, event)
        elif type(event) in REWINDS:
            rewind = event  # type: ignore[assignment]  # its type says so
            break
    state.started, state.last = started, last
    return rewind


def go_back(state: State, event: Rewind, context: Context) -> None:
    """Put a context that nobody else holds in force again.

    What a rewind or an undo takes back was no restart, so the bot does not restart either (Rasa).
    """
    if context.followup == RESTART and not isinstance(event, Replacing):
        context.followup = LISTEN
    state.context = context


def go_on(state: State, event: Rewind) -> None:
    """What it means for branches and slots to go on from elsewhere, taken back or not.

    Nobody waits for an answer in a fork, where the question was asked in its origin.
    """
    if event.to is not None and event.to < state.event:
        note_going_back(state, event.to)
    if isinstance(event, e.HistoryContinued):
        state.lineage = state.lineage.after(event, state.event, state.turn)
        if event.conversation is not None and state.thread is not None:
            state.thread = replace(state.thread, prompts={})


def beginning(state: State) -> Context:
    """The context before the first event: slots at their initial values, whenever declared."""
    return Context(slots=state.initial_slots, followup=LISTEN)


_EFFECTS = {
    **sessions.EFFECTS,
    **messages.EFFECTS,
    **actions.EFFECTS,
    **threads.EFFECTS,
    **people.EFFECTS,
}

FOLDED: frozenset[type[e.Event]] = frozenset(_EFFECTS) | REWINDS
"""Events that change a state; `data` and `extra` of theirs never do."""
