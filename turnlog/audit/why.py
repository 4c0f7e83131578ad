"""Why a slot has its value: the events that give it, replayed alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnlog.domain import events as e
from turnlog.domain.fold import Fold
from turnlog.domain.state import State
from turnlog.domain.traits import Clearing, Rewind
from turnlog.domain.values import same


def why(events: Iterable[e.Event], slot: str) -> tuple[int, ...]:
    """Numbers of a smallest set of events which, replayed alone in order, gives the slot its value.

    events: all up to the moment asked about, oldest first. One event is always enough: the last
    that set or declared the slot and counts, which a rewind may have brought back. None for a slot
    without value, or with the value it is declared to begin with.
    """
    every = list(events)
    folded = Fold(lambda: every)
    decided, declared = [0], 0
    for number, event in enumerate(every, 1):
        if isinstance(event, e.SlotsDeclared) and any(s.name == slot for s in event.slots):
            declared = number
        decided.append(_decided(number, event, slot, folded.state, decided, declared))
        folded.take((event,))
    value = folded.state.slots.get(slot)
    if value is None or same(value, folded.state.initial_slots.get(slot)):
        return ()
    return (decided[-1],)


def _decided(
    number: int, event: e.Event, slot: str, before: State, decided: Sequence[int], declared: int
) -> int:
    """Number of the event that gives the slot its value after this one."""
    if isinstance(event, Rewind) and event.to is not None:
        return decided[event.to] if event.to else declared
    if _resets(event, before):
        return declared
    return number if _sets(event, slot, before) else decided[-1]


def _resets(event: e.Event, before: State) -> bool:
    """Whether every slot goes back to its initial value."""
    if isinstance(event, e.SessionStarted):
        return not before.session.carry_over
    return isinstance(event, e.SlotsReset | Clearing)


def _sets(event: e.Event, slot: str, before: State) -> bool:
    if isinstance(event, e.SlotSet):
        return event.name == slot and (not before.closed or slot in before.declared)
    if isinstance(event, e.SlotsDeclared):
        begins = any(s.name == slot and s.initial is not None for s in event.slots)
        return begins and slot not in before.context.slots
    return False
