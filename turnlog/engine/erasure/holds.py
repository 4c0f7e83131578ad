"""Holds: what must not be erased, by whom and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from turnlog.domain.events import HoldPlaced, HoldReleased
from turnlog.engine.erasure.people import people_in, person_of
from turnlog.engine.erasure.words import check_words
from turnlog.engine.upkeep import record
from turnlog.errors import Held, UnknownConversation, UnknownPerson
from turnlog.projections.ledger import held
from turnlog.storage.lookups import commitment_of
from turnlog.storage.rows import Stream


class Hold(NamedTuple):
    """time: of the log's clock, UTC seconds. event: its number in the log's own stream."""

    event: int
    time: float
    actor: str | None
    reason: str

    def __str__(self) -> str:
        from datetime import UTC, datetime

        since = datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f"held by {self.actor or 'an unnamed person'} since {since}: {self.reason}"


def holds_on(log: Any, conversation: str) -> list[Hold]:
    """The holds on any life of a conversation, or on anyone in it."""
    people = people_in(log, conversation) or {commitment_of(log.store.reader.secret, conversation)}
    return _found(log, [*(one.stream for one in lives(log, conversation)), *people])


def holds_on_person(log: Any, ids: frozenset[str]) -> list[Hold]:
    """The holds on the person themselves, by the HMACs of all their names."""
    return _found(log, [*ids])


def _found(log: Any, keys: list[int | str]) -> list[Hold]:
    view = log.view("ledger")
    found = {hold.event: hold.value for key in keys for hold in view.find(held(key))}
    return [
        Hold(event, value["time"], value["actor"], value["reason"])
        for event, value in sorted(found.items())
    ]


def lives(log: Any, conversation: str) -> Iterator[Stream]:
    """The streams of all lives of a conversation, oldest first."""
    newest = log.store.reader.stream(conversation)
    for life in range(1, newest.life + 1 if newest else 1):
        if (stream := log.store.reader.stream(conversation, life)) is not None:
            yield stream


def place(log: Any, id: str | None, person: str | None, reason: str, actor: str) -> None:
    """Raises UnknownConversation, UnknownPerson, or InvalidEvent for a reason or actor with
    a name.
    """
    check_words(filter(None, (id, person)), reason, actor)
    streams, ids = _named(log, id, person)
    record(log, HoldPlaced(reason, streams, ids, actor=actor))


def release(log: Any, id: str | None, person: str | None, reason: str, actor: str) -> list[Hold]:
    """All holds on the named conversation or person; raises Held if there are none, and as `place`
    does.
    """
    check_words(filter(None, (id, person)), reason, actor)
    streams, ids = _named(log, id, person)
    if not (found := _found(log, [*streams, *ids])):
        raise Held(f"no hold on {id if person is None else person!r}")
    record(log, HoldReleased(reason, streams, ids, actor=actor))
    return found


def _named(log: Any, id: str | None, person: str | None) -> tuple[tuple[int, ...], tuple[str, ...]]:
    if person is None:
        streams = tuple(stream.stream for stream in lives(log, id or ""))
        if not streams:
            raise UnknownConversation(id or "")
        return streams, ()
    known = person_of(log, commitment_of(log.store.reader.secret, person))
    if not known.conversations and log.store.reader.stream(person) is None:
        raise UnknownPerson(person)
    return (), tuple(sorted(known.ids))
