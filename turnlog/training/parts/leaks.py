"""Leaks: users and texts in more than one part of an export."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.shared.plain import dumps
from turnlog.training.select import PastConversation


class Leak(msgspec.Struct, frozen=True):
    """what: `user` or `text`, the kind that several parts share; conversations: one of each
    part.
    """

    what: str
    parts: list[str]
    conversations: list[str]


class Leaks:
    """Finds users, and dialogues with the same words, that are in more than one part."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, bytes], dict[str, str]] = {}

    def look(self, part: str, conversation: PastConversation, dialogue: Dialogue) -> None:
        """Notes the users and the words of a conversation of a part."""
        users = {conversation.user, *_other_names(conversation)} - {None}
        for user in users:
            self._note("user", _digest(str(user).encode()), part, conversation.id)
        if (said := said_digest(dialogue.events)) is not None:
            self._note("text", said, part, conversation.id)

    def _note(self, what: str, digest: bytes, part: str, id: str) -> None:
        self._seen.setdefault((what, digest), {}).setdefault(part, id)

    def found(self) -> tuple[dict[str, int], list[Leak]]:
        """How many of each kind exist, and all of them."""
        counts = {"text": 0, "user": 0}
        leaks = []
        for (what, _), parts in self._seen.items():
            if len(parts) > 1:
                counts[what] += 1
                leaks.append(Leak(what, sorted(parts), [parts[p] for p in sorted(parts)]))
        return counts, leaks


def _other_names(conversation: PastConversation) -> set[str]:
    merged = (event for event in conversation.events if isinstance(event, e.IdentityMerged))
    return {name for event in merged for name in (event.user, event.other)}


def said_digest(events: Iterable[e.Event]) -> bytes | None:
    """The same for the same messages from the same sides; None if no one says anything."""
    said = [
        [isinstance(event, e.UserUttered), event.text]
        for event in events
        if isinstance(event, e.UserUttered | e.BotUttered | e.AgentUttered)
        and (event.text or "").strip()
    ]
    return _digest(dumps(said)) if said else None


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:16]
