"""Why a slot has its value: the events that give it, replayed alone."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.domain import events as e
from turnlog.domain.apply import fold
from turnlog.domain.state import State
from turnlog.domain.traits import Restoring
from turnlog.domain.values import same


def why(events: Iterable[e.Event], slot: str) -> tuple[int, ...]:
    """Numbers of a smallest set of events which, replayed alone in order, gives the slot its value.

    events: all up to the moment asked about, oldest first. One event is always enough, because
    what resets, restarts, rewinds or begins a session carries what it restores: it is the last
    that decided the slot. None for a slot without value, or with the value it is declared to
    begin with.
    """
    state, decided = State(), 0
    for number, event in enumerate(events, 1):
        if _decides(event, slot, state):
            decided = number
        fold(state, (event,))
    value = state.slots.get(slot)
    if value is None or same(value, state.initial_slots.get(slot)):
        return ()
    return (decided,)


def _decides(event: e.Event, slot: str, before: State) -> bool:
    """Whether the slot's value after an event is the event's doing."""
    if isinstance(event, e.SlotSet):
        return event.name == slot and (not before.closed or slot in before.declared)
    if isinstance(event, e.SlotsDeclared):
        begins = any(s.name == slot and s.initial is not None for s in event.slots)
        return begins and slot not in before.context.slots
    return _restores(event)


def _restores(event: e.Event) -> bool:
    if isinstance(event, e.SlotsReset):
        return True
    return isinstance(event, Restoring) and event.restored is not None
