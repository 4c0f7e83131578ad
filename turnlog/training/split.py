"""Split: which part a conversation is in, and what leaks from one part into another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import msgspec

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.shared.plain import dumps
from turnlog.training.plan import ExportPlan
from turnlog.training.select import PastConversation

LEAKS_NAMED = 100
"""Leaks of a kind that are named one by one; the rest is counted."""


def part(conversation: PastConversation, plan: ExportPlan) -> str | None:
    """The part of a conversation; None where there is no split.

    A hash of its id or its user decides: nothing moves when the log grows, and the sizes hold
    within sampling error. A conversation without a user stands for itself.
    """
    if plan.split is None:
        return None
    user = conversation.user if plan.by == "user" else None
    return _part(conversation.id if user is None else f"user {user}", plan.split)


def may_be_in(name: str | None, id: str, plan: ExportPlan) -> bool:
    """Whether a conversation's id alone says that it is in another part."""
    return plan.split is None or plan.by == "user" or _part(id, plan.split) == name


def _part(key: str, shares: Mapping[str, float]) -> str:
    digest = hashlib.sha256(key.encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    parts = list(shares)
    passed = sum(place >= upto for upto in accumulate(shares.values()))
    return parts[min(passed, len(parts) - 1)]


class Leak(msgspec.Struct, frozen=True):
    """what: `user` or `text`, that several parts have in common; conversations: one of each."""

    what: str
    parts: list[str]
    conversations: list[str]


class Leaks:
    """Looks for users, and for dialogues with the same words, that are in more than one part."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, bytes], dict[str, str]] = {}

    def look(self, part: str, conversation: PastConversation, dialogue: Dialogue) -> None:
        users = {conversation.user, *_other_names(conversation)} - {None}
        for user in users:
            self._note("user", str(user).encode(), part, conversation.id)
        self._note("text", _words(dialogue), part, conversation.id)

    def _note(self, what: str, key: bytes, part: str, id: str) -> None:
        digest = hashlib.sha256(key).digest()[:16]
        self._seen.setdefault((what, digest), {}).setdefault(part, id)

    def found(self) -> tuple[dict[str, int], list[Leak]]:
        """How many of each kind there are, and the first ones."""
        counts = {"text": 0, "user": 0}
        leaks = []
        for (what, _), parts in self._seen.items():
            if len(parts) > 1:
                counts[what] += 1
                if counts[what] <= LEAKS_NAMED:
                    leaks.append(Leak(what, sorted(parts), [parts[p] for p in sorted(parts)]))
        return counts, leaks


def _other_names(conversation: PastConversation) -> set[str]:
    merged = (event for event in conversation.events if isinstance(event, e.IdentityMerged))
    return {name for event in merged for name in (event.user, event.other)}


def _words(dialogue: Dialogue) -> bytes:
    utterances: list[Any] = [
        [isinstance(event, e.UserUttered), event.text]
        for event in dialogue.events
        if isinstance(event, e.UserUttered | e.BotUttered | e.AgentUttered)
    ]
    return dumps(utterances)
