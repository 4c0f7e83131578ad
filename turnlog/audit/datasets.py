"""Recorded exports: who received them, and which contain a person's data."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from turnlog.domain.events import ConversationExported, ErasureRecorded
from turnlog.encoding.names import decode_name
from turnlog.engine.erasure.holds import lives
from turnlog.engine.erasure.people import person_of
from turnlog.engine.upkeep import newest_first
from turnlog.errors import UnknownPerson
from turnlog.storage.lookups import commitment_of


class Dataset(msgspec.Struct):
    """An export as the log recorded it. manifest: SHA-256 of its manifest."""

    export: str | None
    time: float
    recipient: str
    format: str | None
    purpose: str | None
    manifest: str | None
    actor: str | None
    streams: list[int] = []

    @property
    def conversations(self) -> int:
        """How many conversations it contains."""
        return len(self.streams)


class PersonShare(msgspec.Struct, frozen=True):
    """A person's part of an export.

    theirs: ids that the log still has. erased: how many it erased.
    """

    theirs: list[str]
    erased: int


def datasets(log: Any) -> list[Dataset]:
    """All recorded exports, oldest first."""
    found: dict[tuple[int, str | None], Dataset] = {}
    for recorded in newest_first(log.store.reader, [ConversationExported]):
        event: Any = recorded.event
        dataset = found.setdefault(
            (recorded.version, event.export),
            Dataset(
                event.export, recorded.recorded, event.recipient, event.format, event.purpose,
                event.manifest, event.actor, [],
            ),
        )  # fmt: skip
        dataset.streams += event.streams
    return [*found.values()][::-1]


def with_person(log: Any, person: str) -> Iterator[tuple[Dataset, PersonShare]]:
    """The exports that contain a conversation with the person, even an erased one.

    Raises UnknownPerson for someone whom the log neither knows nor erased.
    """
    streams = _streams_of(log, person)
    for dataset in datasets(log):
        if theirs := streams.intersection(dataset.streams):
            yield dataset, _share(log, theirs)


def _streams_of(log: Any, person: str) -> frozenset[int]:
    known = person_of(log, commitment_of(log.store.reader.secret, person))
    named = {life.stream for id in (*known.conversations, person) for life in lives(log, id)}
    erased = [*_erasures(log, known.ids)]
    if not named and not erased:
        raise UnknownPerson(person)
    return frozenset(named).union(*erased)


def _erasures(log: Any, ids: frozenset[str]) -> Iterator[set[int]]:
    """The erased streams of each erasure of one of these ids."""
    for recorded in newest_first(log.store.reader, [ErasureRecorded]):
        event: Any = recorded.event
        if not ids.isdisjoint(event.ids):
            yield {*event.streams, *(part.stream for part in event.events)}


def _share(log: Any, streams: Collection[int]) -> PersonShare:
    stored = [log.store.reader.stream_of(number) for number in sorted(streams)]
    names = [found.name for found in stored if found is not None and found.name is not None]
    return PersonShare(list(map(decode_name, names)), len(stored) - len(names))
