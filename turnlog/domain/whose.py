"""Whose the events of a conversation with several people are: with whom they are erased."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.domain import events as e

People = frozenset[str]

NOBODY: People = frozenset()

_STAYING: frozenset[type[e.Event]] = frozenset(
    [
        e.ActionReverted, e.UserUtteranceReverted, e.ConversationRestarted, e.SlotsReset,
        e.SessionStarted, e.HistoryReplaced, e.HistoryContinued, e.OriginDeleted,
        e.ConversationDeleted, e.SlotsDeclared, e.SessionConfigured, e.MessageRedacted,
        e.ContentErased, e.EventErased, e.ProcessingRestricted, e.RestrictionLifted,
    ]
)  # fmt: skip
"""What everybody's state, or what is hidden of it, follows from."""

_OF_ALL: frozenset[type[e.Event]] = frozenset(
    [
        e.HistoryCompacted, e.ForeignStateChanged, e.ForeignRecorded, e.ThreadImported,
        e.ConversationAnnotated, e.MessageEdited, e.MessageRegenerated, e.MessageAnnotated,
    ]
)  # fmt: skip
"""What may repeat what anybody said."""


def whose(events: Sequence[e.Event]) -> list[People]:
    """The names of whom each event is about; events: all of a conversation's, oldest first.

    Before anybody is identified, whoever is first talks; then the one who was identified last, or
    whom a message names as its actor, up to the next message.
    """
    named = [event.user for event in events if isinstance(event, _Naming)]
    others = [event.other for event in events if isinstance(event, e.IdentityMerged)]
    known, found = frozenset([*named, *others]), list[People]()
    identified = talking = named[0] if named else ""
    seen = {identified}
    for event in events:
        if isinstance(event, _Naming):
            identified = talking = event.user
            seen |= {event.user, getattr(event, "other", event.user)}
        elif isinstance(event, e.UserUttered):
            talking = event.actor if event.actor in known else identified
        found.append(_about(event, talking, known, frozenset(seen)))
    return found


_Naming = e.UserIdentified | e.IdentityMerged


def _about(event: e.Event, talking: str, known: People, seen: People) -> People:
    kind = type(event)
    if kind in _STAYING:
        return NOBODY
    if kind in _OF_ALL:
        return seen
    if isinstance(event, e.IdentityMerged):
        return frozenset([event.user, event.other])
    return frozenset([event.actor if event.actor in known else talking])
