"""The effects of actions, slots, loops and flows."""

from __future__ import annotations

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import Action, Loop
from turnlog.domain.effects.effect import Effects
from turnlog.domain.effects.slots import give, note
from turnlog.domain.patches import BadPatch, patched
from turnlog.domain.state import State
from turnlog.domain.values import unholdable


def _action_executed(state: State, event: e.ActionExecuted) -> None:
    context = state.context
    context.latest_action = Action(state.event, event.name, event.action_text)
    context.followup = None
    if (loop := context.loop) is not None:
        rejected = loop.rejected and event.name != loop.name
        context.loop = replace(loop, is_interrupted=False, rejected=rejected)


def _action_rejected(state: State, event: e.ActionRejected) -> None:
    loop = state.context.loop
    if loop is not None and loop.name == event.name:
        state.context.loop = replace(loop, rejected=True)


def _slot_set(state: State, event: e.SlotSet) -> None:
    name, value = event.name, event.value
    slot = state.declared.get(name)
    if slot is None and state.closed:
        return
    note(state, name)
    if value is None:
        state.context.slots.pop(name, None)
    else:
        state.context.slots[name] = value if slot is None else slot.coerce(value)


def _slots_reset(state: State, event: e.SlotsReset) -> None:
    slots = state.initial_slots
    state.context.since = give(state, slots)
    state.context.slots = slots


def _followup_set(state: State, event: e.FollowupSet) -> None:
    state.context.followup = event.name


def _conversation_paused(state: State, event: e.ConversationPaused) -> None:
    state.context.paused = True


def _conversation_resumed(state: State, event: e.ConversationResumed) -> None:
    state.context.paused = False


def _loop_activated(state: State, event: e.LoopActivated) -> None:
    context = state.context
    context.loop = Loop(event.name, trigger=context.latest_message) if event.name else None
    if event.name and event.name not in state.loops:
        state.loops = (*state.loops, event.name)


def _loop_interrupted(state: State, event: e.LoopInterrupted) -> None:
    if (loop := state.context.loop) is not None:
        state.context.loop = replace(loop, is_interrupted=event.is_interrupted)


def _stack_updated(state: State, event: e.StackUpdated) -> None:
    context = state.context
    before = context.stack or []
    try:
        after = patched(before, event.update)
    except BadPatch:
        after = before
    context.stack = after if isinstance(after, list) and not unholdable(after) else before


EFFECTS: Effects = {
    e.ActionExecuted: _action_executed,
    e.ActionRejected: _action_rejected,
    e.SlotSet: _slot_set,
    e.SlotsReset: _slots_reset,
    e.FollowupSet: _followup_set,
    e.ConversationPaused: _conversation_paused,
    e.ConversationResumed: _conversation_resumed,
    e.LoopActivated: _loop_activated,
    e.LoopInterrupted: _loop_interrupted,
    e.StackUpdated: _stack_updated,
}
