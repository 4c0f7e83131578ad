"""Whom the events of a conversation with several people belong to: with whom they are erased."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.domain import events as e
from turnlog.domain.subjects import OF_ALL, SETTING_UP, STAYING

People = frozenset[str]

NO_ONE: People = frozenset()

_OF_NO_ONE = STAYING | SETTING_UP | {e.ContentErased, e.EventErased}
"""The source of everyone's state, or of what is hidden in it."""


def whose(events: Sequence[e.Event]) -> list[People]:
    """The names of the people that each event is about; events: all of a conversation's, oldest
    first.

    Before anyone is identified, the first person talks; then the one identified last, or the one
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
    if kind in _OF_NO_ONE:
        return NO_ONE
    if kind in OF_ALL:
        return seen
    if isinstance(event, e.IdentityMerged):
        return frozenset([event.user, event.other])
    return frozenset([event.actor if event.actor in known else talking])
