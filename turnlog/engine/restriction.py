"""Keeping conversations and doing nothing else with them (GDPR, Article 18)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turnlog.domain.events import Event, ProcessingRestricted
from turnlog.engine.erasure.people import person_of
from turnlog.errors import UnknownConversation, UnknownPerson
from turnlog.storage.rows import commitment_of


def restrict(log: Any, id: str | None, person: str | None, event: Event) -> list[str]:
    """Record a restriction, or its end, in a conversation or in all of a person's; which they are.

    Raises UnknownConversation or UnknownPerson where there are none that are not so already.
    """
    wanted = isinstance(event, ProcessingRestricted)
    ids = [id] if id is not None else _of(log, person or "")
    found = [one for one in ids if _state(log, one) is (not wanted)]
    if not found:
        raise UnknownConversation(id) if id is not None else UnknownPerson(person or "")
    for one in found:
        log.record(one, event)
    return found


def _of(log: Any, person: str) -> Iterator[str]:
    found = person_of(log, commitment_of(log.store.reader.secret, person))
    for id in dict.fromkeys([*found.conversations, person]):
        if _state(log, id) is not None:
            yield id


def _state(log: Any, id: str) -> bool | None:
    """Whether it is restricted; None where there is no such conversation."""
    try:
        restricted: bool = log.head(id, restricted=True)[1].restricted
    except UnknownConversation:
        return None
    return restricted
