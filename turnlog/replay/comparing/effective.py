"""The events of an answer that change something; setting a slot to its current value does not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.apply import advance
from turnlog.domain.message_groups import Numbered
from turnlog.domain.state import State
from turnlog.domain.traits import Rewind
from turnlog.encoding import binary

_IDLE_IF_UNCHANGED = (
    e.SlotSet, e.SlotsReset, e.FollowupSet, e.LoopActivated, e.LoopInterrupted,
    e.ConversationPaused, e.ConversationResumed, e.HandoverEnded,
)  # fmt: skip


def effective(state: State, answer: Iterable[Numbered]) -> list[Numbered]:
    """An answer without events that change nothing. state: the one before it.

    After a rewind all events are kept, because the earlier state is not read.
    """
    return list(_effective(state.copy(), iter(answer)))


def _effective(state: State, answer: Iterator[Numbered]) -> Iterator[Numbered]:
    for number, event in answer:
        before = _held(state, event)
        advance(state, iter((event,)))
        if not isinstance(event, _IDLE_IF_UNCHANGED) or before != _held(state, event):
            yield number, event
        if isinstance(event, Rewind):
            yield from answer


def _held(state: State, event: e.Event) -> Any:
    """The part of the state that the event can change."""
    context = state.context
    if isinstance(event, e.SlotSet):
        return binary.encode_ordered(context.slots.get(event.name))
    if isinstance(event, e.SlotsReset):
        return binary.encode_ordered(context.slots)
    loop = context.loop and replace(context.loop, trigger=None)
    return loop, context.followup, context.paused, state.handover
