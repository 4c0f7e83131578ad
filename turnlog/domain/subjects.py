"""Who events are about: whose keys they are sealed under, and go with (ADR 19)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from msgspec.structs import asdict

from turnlog.domain import events as e

PERSON, UNIDENTIFIED, CONVERSATION, LOG, EVERYBODY = range(1, 6)
"""Kinds of subjects. EVERYBODY stands for all persons identified in a conversation so far."""


class Subject(NamedTuple):
    """Somebody or something in one conversation. person: the id of a PERSON."""

    kind: int
    person: str = ""


Subjects = frozenset[Subject]

NOBODY: Subjects = frozenset()
OF_CONVERSATION: Subjects = frozenset([Subject(CONVERSATION)])
OF_LOG: Subjects = frozenset([Subject(LOG)])
OF_EVERYBODY: Subjects = frozenset([Subject(EVERYBODY)])
OF_UNIDENTIFIED: Subjects = frozenset([Subject(UNIDENTIFIED)])


class About(NamedTuple):
    """Who each event of a commit is about, and its key. merged: pairs of names of one person."""

    conversation: str
    events: Sequence[Subjects]
    key: Subjects
    merged: Sequence[tuple[str, str]] = ()


def about(conversation: str, user: str | None, events: Sequence[e.Event]) -> About:
    """user: whom the last identification before the events named.

    The idempotency key is about whom the first event is about that is about anybody.
    """
    current = whoever(user)
    if _SPECIAL.isdisjoint(map(type, events)):  # nearly always
        return About(conversation, (current,) * len(events), current)
    found: list[Subjects] = []
    merged: list[tuple[str, str]] = []
    for event in events:
        if isinstance(event, e.UserIdentified | e.IdentityMerged):
            current = whoever(event.user)
        if isinstance(event, e.IdentityMerged):
            merged.append((event.user, event.other))
        found.append(_about(event, current))
    key = next(filter(None, found), current)
    return About(conversation, found, key, merged)


@lru_cache(4096)
def whoever(user: str | None) -> Subjects:
    """Who talks in a conversation."""
    return OF_UNIDENTIFIED if user is None else frozenset([Subject(PERSON, user)])


def _about(event: e.Event, current: Subjects) -> Subjects:
    kind = type(event)
    if isinstance(event, e.IdentityMerged):
        return current | {Subject(PERSON, event.other)}
    if kind in _ACCOUNTS:
        return NOBODY
    if kind in STAYING:
        return NOBODY if _holds_numbers(event) else OF_LOG
    if kind in SETTING_UP:
        return OF_CONVERSATION
    return OF_EVERYBODY if kind in OF_ALL else current


def _holds_numbers(event: e.Event) -> bool:
    """Whether an event holds nothing but numbers."""
    return all(
        value in (None, ()) or isinstance(value, int | float) for value in asdict(event).values()
    )


_ACCOUNTS: frozenset[type[e.Event]] = frozenset(
    [
        e.KeyStoreUsed, e.TailLost, e.ErasureRecorded, e.ErasureFinished, e.ContentErased,
        e.HoldPlaced, e.HoldReleased, e.LogVacuumed,
    ]
)  # fmt: skip
"""What the log keeps of itself, for whoever has no keys."""

STAYING: frozenset[type[e.Event]] = frozenset(
    [
        e.ActionReverted, e.UserUtteranceReverted, e.ConversationRestarted, e.SlotsReset,
        e.SessionStarted, e.HistoryReplaced, e.HistoryContinued, e.OriginDeleted,
        e.ConversationDeleted, e.MessageRedacted, e.ProcessingRestricted, e.RestrictionLifted,
    ]
)  # fmt: skip
"""What everybody's state, or what is hidden of it, follows from, whoever did it."""

SETTING_UP: frozenset[type[e.Event]] = frozenset([e.SlotsDeclared, e.SessionConfigured])

OF_ALL: frozenset[type[e.Event]] = frozenset(
    [
        e.HistoryCompacted, e.ForeignStateChanged, e.ForeignRecorded, e.ThreadImported,
        e.ConversationAnnotated, e.MessageEdited, e.MessageRegenerated, e.MessageAnnotated,
    ]
)  # fmt: skip
"""What may repeat what anybody said."""

_SPECIAL: frozenset[type[e.Event]] = (
    _ACCOUNTS | STAYING | SETTING_UP | OF_ALL | {e.UserIdentified, e.IdentityMerged}
)


def parted(groups: Iterable[Subjects]) -> dict[Subjects, list[int]]:
    """The places of what is about the same subjects, in order of the first of them."""
    parts: dict[Subjects, list[int]] = {}
    for place, subjects in enumerate(groups):
        parts.setdefault(subjects, []).append(place)
    return parts
