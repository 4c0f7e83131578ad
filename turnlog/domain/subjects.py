"""Whom events are about: whose keys seal them (ADR 19)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import asdict

from turnlog.domain import events as e

PERSON, UNIDENTIFIED, CONVERSATION, LOG, EVERYBODY = range(1, 6)
"""Kinds of subjects. EVERYBODY means all persons identified in a conversation so far."""


class Subject(NamedTuple):
    """A person or a thing in one conversation. person: the id of a PERSON."""

    kind: int
    person: str = ""


Subjects = frozenset[Subject]

NO_ONE: Subjects = frozenset()
OF_CONVERSATION: Subjects = frozenset([Subject(CONVERSATION)])
OF_LOG: Subjects = frozenset([Subject(LOG)])
OF_EVERYBODY: Subjects = frozenset([Subject(EVERYBODY)])
OF_UNIDENTIFIED: Subjects = frozenset([Subject(UNIDENTIFIED)])


class About(NamedTuple):
    """Whom each event of a commit is about, and its key. merged: pairs of names of one person."""

    conversation: str
    events: Sequence[Subjects]
    key: Subjects
    merged: Sequence[tuple[str, str]] = ()


def about(conversation: str, user: str | None, events: Sequence[e.Event]) -> About:
    """user: the person named by the last identification before the events.

    The idempotency key is about the first subject of any of the events.
    """
    current = speaker(user)
    if _SPECIAL.isdisjoint(map(type, events)):  # the usual case
        return About(conversation, (current,) * len(events), current)
    found: list[Subjects] = []
    merged: list[tuple[str, str]] = []
    for event in events:
        if isinstance(event, e.UserIdentified | e.IdentityMerged):
            current = speaker(event.user)
        if isinstance(event, e.IdentityMerged):
            merged.append((event.user, event.other))
        found.append(_about(event, current))
    key = next(filter(None, found), current)
    return About(conversation, found, key, merged)


@lru_cache(4096)
def speaker(user: str | None) -> Subjects:
    """The person who talks in a conversation."""
    return OF_UNIDENTIFIED if user is None else frozenset([Subject(PERSON, user)])


def _about(event: e.Event, current: Subjects) -> Subjects:
    kind = type(event)
    if isinstance(event, e.IdentityMerged):
        return current | {Subject(PERSON, event.other)}
    if kind in _ACCOUNTS:
        return NO_ONE
    if kind in STAYING:
        return NO_ONE if _holds_numbers(event) else OF_LOG
    if kind in SETTING_UP:
        return OF_CONVERSATION
    return OF_EVERYBODY if kind in OF_ALL else current


def _holds_numbers(event: e.Event) -> bool:
    """Whether an event contains only numbers."""
    return all(
        value in (None, ()) or isinstance(value, int | float) for value in asdict(event).values()
    )


_ACCOUNTS: frozenset[type[e.Event]] = frozenset(
    [
        e.KeyStoreUsed, e.TailLost, e.ErasureRecorded, e.ErasureFinished, e.ContentErased,
        e.HoldPlaced, e.HoldReleased, e.LogVacuumed,
    ]
)  # fmt: skip
"""What the log records about itself, readable without keys."""

STAYING: frozenset[type[e.Event]] = frozenset(
    [
        e.ActionReverted, e.UserUtteranceReverted, e.ConversationRestarted, e.SlotsReset,
        e.SessionStarted, e.HistoryReplaced, e.HistoryContinued, e.OriginDeleted,
        e.ConversationDeleted, e.MessageRedacted, e.ProcessingRestricted, e.RestrictionLifted,
    ]
)  # fmt: skip
"""The source of everyone's state, or of what is hidden in it, regardless of who caused it."""

SETTING_UP: frozenset[type[e.Event]] = frozenset([e.SlotsDeclared, e.SessionConfigured])

OF_ALL: frozenset[type[e.Event]] = frozenset(
    [
        e.HistoryCompacted, e.ForeignStateChanged, e.ForeignRecorded, e.ThreadImported,
        e.ConversationAnnotated, e.MessageEdited, e.MessageRegenerated, e.MessageAnnotated,
    ]
)  # fmt: skip
"""What may repeat anyone's words."""

_SPECIAL: frozenset[type[e.Event]] = (
    _ACCOUNTS | STAYING | SETTING_UP | OF_ALL | {e.UserIdentified, e.IdentityMerged}
)


def parted(groups: Iterable[Subjects]) -> dict[Subjects, list[int]]:
    """The places of events about the same subjects, in order of the first of them."""
    parts: dict[Subjects, list[int]] = {}
    for place, subjects in enumerate(groups):
        parts.setdefault(subjects, []).append(place)
    return parts
