"""Apply: writes events into a state, in order; `effects` has what each of them does.

Where Rasa's replay and its incremental update disagree, this follows the incremental one.
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
    """Write the effects of events, oldest first, into a state that no one else uses.

    Stops after a rewind and returns it: the caller supplies the context that it returns to.
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
    """Put a context that no one else uses in force again.

    A rewind or an undo is not a restart, so the bot does not restart either (Rasa).
    """
    if context.followup == RESTART and not isinstance(event, Replacing):
        context.followup = LISTEN
    state.context = context


def go_on(state: State, event: Rewind) -> None:
    """What continuing from elsewhere means for branches and slots, retracted or not.

    A fork waits for no answer: its origin asked the question.
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
