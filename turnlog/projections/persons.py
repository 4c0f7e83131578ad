"""Which conversations a person is in, by the HMAC of a name; deleted conversations included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import ClassVar

from turnlog.domain.events import ContentErased, Event, IdentityMerged, UserIdentified
from turnlog.domain.streams import is_conversation
from turnlog.encoding.apart import BARE
from turnlog.encoding.rows import TAGS, decode_skeleton, is_commit
from turnlog.errors import Corrupt
from turnlog.projections.history import StoredHistory
from turnlog.projections.stream_rows import StreamRows
from turnlog.projections.view import KEYED, View, drop, place_of
from turnlog.storage.lookups import commitment_of
from turnlog.storage.reader import Reader
from turnlog.storage.rows import Row

_NAMING = frozenset([TAGS[UserIdentified], TAGS[IdentityMerged]])
_ERASING = TAGS[ContentErased]


class PersonsProjection:
    """Conversations by person.

    `log.view("persons").find(HMAC)` returns conversations, each with the HMACs of other names
    merged with it there, whether deleted or redacted or not.
    """

    name: ClassVar[str] = "persons"

    def take(self, rows: Sequence[Row], view: View) -> None:
        """See `RowProjection.take`."""
        for row in rows:
            with suppress(Corrupt):  # verify reports it
                if (
                    row.name is not None
                    and is_commit(row.topic)
                    and is_conversation(row.conversation)
                ):
                    _take(row, view)


def _take(row: Row, view: View) -> None:
    said = decode_skeleton(row.skeleton)
    if _ERASING in said.tags or (row.version == 1 and said.first_event > 1):
        drop(view, row.conversation)
        _note(view, row.conversation, _every_event(view.log, row))
    elif not _NAMING.isdisjoint(said.tags):
        _note(view, row.conversation, row.commit(BARE).events)


def _every_event(log: Reader, upto: Row) -> Iterator[Event]:
    """The events of all lives of a conversation up to a row, with the past that a fork shares."""
    for life in range(1, upto.life + 1):
        if (stream := log.stream(upto.conversation, life)) is not None:
            rows = StreamRows(log, None, upto.conversation, stream.stream, life)
            last = upto.version if life == upto.life else None
            for commit in StoredHistory(rows).commits(last):
                yield from commit.events


def _note(view: View, conversation: str, events: Iterable[Event]) -> None:
    for event in events:
        names = [commitment_of(view.log.secret, name) for name in names_in(event)]
        for name in names:
            place = place_of(name)
            known = view.get(place, conversation)
            merged = sorted({*(known[2] if known else ()), *names} - {name})
            view.put(place, conversation, [conversation, 0, merged])
            view.put(conversation, KEYED + name, [place, conversation])


def names_in(event: Event) -> tuple[str, ...]:
    """All names of the person whom an event names."""
    if isinstance(event, UserIdentified):
        return (event.user,)
    return (event.user, event.other) if isinstance(event, IdentityMerged) else ()
