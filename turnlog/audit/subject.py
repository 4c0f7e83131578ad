"""Everything that a log contains about one person, in all conversations and channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from turnlog.audit.protocol import protocol
from turnlog.audit.recipients import exports_of
from turnlog.domain import events as e
from turnlog.domain.recorded import TracedEvent
from turnlog.domain.whose import whose
from turnlog.engine.erasure.people import person_of
from turnlog.errors import UnknownConversation, UnknownPerson
from turnlog.projections.persons import names_in
from turnlog.storage.lookups import commitment_of


class SubjectConversation(msgspec.Struct, frozen=True):
    """One life of a conversation with the person.

    every: all its events. own: the numbers of events about the person, or about no one in
    particular.
    """

    id: str
    life: int
    every: Sequence[TracedEvent]
    own: frozenset[int]

    @property
    def events(self) -> list[TracedEvent]:
        """The events that the person may see."""
        return [line for line in self.every if line.number in self.own]

    @property
    def others(self) -> int:
        """How many events are about other people."""
        return len(self.every) - len(self.own)

    @property
    def deleted(self) -> bool:
        """Whether this life was deleted."""
        return any(isinstance(line.event, e.ConversationDeleted) for line in self.every)

    @property
    def channels(self) -> list[str]:
        """The channels of the events that the person may see, in order of first use."""
        return list(dict.fromkeys(c for line in self.events if (c := line.event.channel)))


class PersonRecord(msgspec.Struct, frozen=True):
    """names: all names of the person. exports: who received their conversations."""

    person: str
    names: Sequence[str]
    conversations: Sequence[SubjectConversation]
    exports: Sequence[dict[str, Any]]


def subject(log: Any, person: str) -> PersonRecord:
    """The record of a person, with deleted conversations and earlier lives.

    Raises UnknownPerson if no conversation identifies the person or has their name as its id.
    """
    secret = log.store.reader.secret
    known = person_of(log, commitment_of(secret, person))
    found: list[SubjectConversation] = []
    names = {person}
    for id in dict.fromkeys([*known.conversations, person]):
        for life, every in _lives(log, id):
            here = {name for name in _named(every) if commitment_of(secret, name) in known.ids}
            names |= here
            found.append(SubjectConversation(id, life, every, _own(every, here)))
    if not any(one.own for one in found):
        raise UnknownPerson(person)
    return PersonRecord(person, sorted(names), found, exports_of(log, [one.id for one in found]))


def _lives(log: Any, id: str) -> Iterator[tuple[int, list[TracedEvent]]]:
    try:
        newest = log.head(id, deleted=True, restricted=True)[0].life
    except UnknownConversation:
        return
    for life in range(1, newest + 1):
        yield life, protocol(list(log.history(id, life).recorded()))


def _named(events: Sequence[TracedEvent]) -> Iterator[str]:
    for line in events:
        yield from names_in(line.event)


def _own(events: Sequence[TracedEvent], names: set[str]) -> frozenset[int]:
    """Events about the person or no one; all events of a conversation that identifies no one."""
    if not any(_named(events)):
        return frozenset(line.number for line in events)
    people = whose([line.event for line in events])
    return frozenset(
        line.number
        for line, about in zip(events, people, strict=True)
        if not about or about & names
    )
