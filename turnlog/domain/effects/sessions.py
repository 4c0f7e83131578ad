"""The effects of declarations and sessions."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import Context
from turnlog.domain.effects.effect import Effects
from turnlog.domain.effects.slots import give, note_touched
from turnlog.domain.state import LISTEN, RESTART, State


def _slots_declared(state: State, event: e.SlotsDeclared) -> None:
    state.declared = {**state.declared, **{slot.name: slot for slot in event.slots}}
    state.closed = event.closed
    names = dict.fromkeys((slot.name for slot in event.slots), state.event)
    state.declared_in = {**state.declared_in, **names}
    for name in names:
        slot = state.declared[name]  # if a slot is declared twice, the last declaration counts
        if slot.initial is not None:
            _begin(state, name, slot.coerce(slot.initial))


def _begin(state: State, name: str, value: Any) -> None:
    """Give a slot its initial value, unless it has a value."""
    note_touched(state, (name,))
    if name not in state.context.slots:
        state.context.slots[name] = value
        state.context.since[name] = state.event


def _session_configured(state: State, event: e.SessionConfigured) -> None:
    state.session = replace(state.session, expiry=event.expiry, carry_over=event.carry_over)


def _session_started(state: State, event: e.SessionStarted) -> None:
    number = state.session.number + 1
    state.session = replace(state.session, number=number, started=event.timestamp, ended=None)
    state.context = _fresh(state, LISTEN, carry_over=state.session.carry_over)


def _conversation_restarted(state: State, event: e.ConversationRestarted) -> None:
    state.context = _fresh(state, RESTART)


def _fresh(state: State, followup: str, *, carry_over: bool = False) -> Context:
    """carry_over: keep the slots' values; otherwise they return to their initial ones."""
    before = state.context
    slots = dict(before.slots) if carry_over else state.initial_slots
    since = dict(before.since) if carry_over else give(state, slots)
    stack: list[Any] | None = None if before.stack is None else []
    return Context(slots=slots, followup=followup, stack=stack, turn=before.turn, since=since)


def _session_expired(state: State, event: e.SessionExpired) -> None:
    state.session = replace(state.session, ended="expired")


def _session_ended(state: State, event: e.SessionEnded) -> None:
    state.session = replace(state.session, ended=event.reason or "ended")


EFFECTS: Effects = {
    e.SlotsDeclared: _slots_declared,
    e.SessionConfigured: _session_configured,
    e.SessionStarted: _session_started,
    e.SessionExpired: _session_expired,
    e.SessionEnded: _session_ended,
    e.ConversationRestarted: _conversation_restarted,
}
