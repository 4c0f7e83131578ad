"""The effects of events about people, and about keeping and erasing."""

from __future__ import annotations

from turnlog.domain import events as e
from turnlog.domain.context import Context
from turnlog.domain.effects.effect import Effects
from turnlog.domain.effects.slots import give
from turnlog.domain.lineage import Lineage
from turnlog.domain.state import State


def _user_identified(state: State, event: e.UserIdentified) -> None:
    state.user = event.user


def _identity_merged(state: State, event: e.IdentityMerged) -> None:
    state.user = event.user
    if event.other not in state.identities:
        state.identities = (*state.identities, event.other)


def _handover_started(state: State, event: e.HandoverStarted) -> None:
    state.handover = event.to or "human"


def _handover_ended(state: State, event: e.HandoverEnded) -> None:
    state.handover = None


def _tagged(state: State, event: e.ConversationTagged) -> None:
    state.tags = tuple(dict.fromkeys((*state.tags, *event.tags)))


def _untagged(state: State, event: e.ConversationUntagged) -> None:
    state.tags = tuple(tag for tag in state.tags if tag not in event.tags)


def _restricted(state: State, event: e.ProcessingRestricted) -> None:
    state.restricted = True


def _lifted(state: State, event: e.RestrictionLifted) -> None:
    state.restricted = False


def _deleted(state: State, event: e.ConversationDeleted) -> None:
    """Remove from a state everything that was said; the counts stay."""
    line = state.lineage
    lineage = Lineage(origin=line.origin, shared=line.shared, turns=line.turns, trial=line.trial)
    bare = State(
        event=state.event, turn=state.turn, deleted=True, redacted=state.redacted, lineage=lineage
    )
    for name in State.__struct_fields__:
        setattr(state, name, getattr(bare, name))


def _erased(state: State, event: e.EventErased) -> None:
    """Of an erased event, only its place counts."""
    opens_turn = event.was == e.UserUttered.__name__
    state.turn += opens_turn
    state.context.turn += opens_turn


def _origin_deleted(state: State, event: e.OriginDeleted) -> None:
    """Of the part shared with the origin, only the counts stay."""
    state.redacted = True
    for name in (*OF_PEOPLE, *IN_CONTEXT):
        if name not in event.fields:
            held, bare = (state, State()) if name in OF_PEOPLE else (state.context, Context())
            setattr(held, name, getattr(bare, name))
    context = state.context
    slots = {name: value for name, value in context.slots.items() if name in event.slots}
    context.since = give(state, slots)
    context.slots = slots
    state.tags = tuple(tag for tag in state.tags if tag in event.tags)


OF_PEOPLE = ("thread", "channel", "user", "identities", "handover")
"""The part of a state that may come from a hidden past."""

IN_CONTEXT = ("latest_message", "latest_bot_message", "latest_action", "loop", "stack")
"""The same for its context."""


EFFECTS: Effects = {
    e.UserIdentified: _user_identified,
    e.IdentityMerged: _identity_merged,
    e.HandoverStarted: _handover_started,
    e.HandoverEnded: _handover_ended,
    e.ConversationTagged: _tagged,
    e.ConversationUntagged: _untagged,
    e.ConversationDeleted: _deleted,
    e.ProcessingRestricted: _restricted,
    e.RestrictionLifted: _lifted,
    e.EventErased: _erased,
    e.OriginDeleted: _origin_deleted,
}
