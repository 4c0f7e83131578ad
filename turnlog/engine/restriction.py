"""Restricting conversations: they are kept but not used (GDPR, Article 18)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from turnlog.domain.events import Event, ProcessingRestricted
from turnlog.engine.erasure.people import person_of
from turnlog.engine.erasure.plan import forks_of
from turnlog.errors import InvalidEvent, UnknownConversation, UnknownPerson
from turnlog.storage.lookups import commitment_of


def restrict(log: Any, id: str | None, person: str | None, event: Event) -> list[str]:
    """Record a restriction, or its end, for a conversation or all of a person's; returns their ids.

    A restriction covers the forks, which show the past that they share; each ends by its own id.
    Raises UnknownConversation or UnknownPerson, and InvalidEvent if nothing would change.
    """
    wanted = isinstance(event, ProcessingRestricted)
    ids = [id] if id is not None else _of(log, person or "")
    found = [one for one in ids if _state(log, one) is (not wanted)]
    if not found and id is not None and _state(log, id) is wanted:
        why = "is restricted already" if wanted else "is not restricted"
        raise InvalidEvent(id, "conversation", why)
    if not found:
        raise UnknownConversation(id) if id is not None else UnknownPerson(person or "")
    if wanted:
        found = list(dict.fromkeys([*found, *_open_forks(log, found)]))
    for one in found:
        log.record(one, event)
    return found


def _of(log: Any, person: str) -> Iterator[str]:
    found = person_of(log, commitment_of(log.store.reader.secret, person))
    for id in dict.fromkeys([*found.conversations, person]):
        if _state(log, id) is not None:
            yield id


def _open_forks(log: Any, ids: Iterable[str]) -> Iterator[str]:
    log.current.catch_up()  # the table of keys, which lists forks, lags behind
    reader = log.store.reader
    for id in ids:
        for fork in forks_of(reader, log.head(id)[0].stream):
            found = reader.stream_of(fork)
            if found and found.name is not None and _state(log, found.conversation) is False:
                yield found.conversation


def _state(log: Any, id: str) -> bool | None:
    """Whether it is restricted; None where does not exist."""
    try:
        restricted: bool = log.head(id, restricted=True)[1].restricted
    except UnknownConversation:
        return None
    return restricted
