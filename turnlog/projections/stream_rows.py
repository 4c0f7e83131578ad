"""The rows of one life of a conversation, read in batches and checked on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import cached_property
from itertools import count, pairwise
from math import ceil
from typing import Self

from turnlog.domain.events import Event, HistoryContinued
from turnlog.domain.redactions import Redactions
from turnlog.encoding import rows as encoding
from turnlog.encoding.apart import BARE, Contents
from turnlog.encoding.names import decode_name
from turnlog.errors import Corrupt
from turnlog.projections.known_rows import KnownRows
from turnlog.projections.live_head import LiveHead
from turnlog.storage.contents import StoredContents
from turnlog.storage.links import AnyLinks, Link, Unchecked
from turnlog.storage.reader import Reader
from turnlog.storage.rows import Body, Row, Snapshot, erased

_FIRST, _FIRST_BACK, _BATCH, _LARGEST_BATCH = 16, 24, 64, 256
_NEWEST = 2**62
_GUESSES = 3

Numbers = tuple[int, int]
"""Numbers of the first and the last event of a row."""


class StreamRows:
    """The rows of a history: a stream, whatever happens to its conversation.

    The rows of a fork begin with those of its origin, up to the event from which it continues.

    stream: its number; 0 for a conversation that has not begun, which has no rows. known: supplies
    the newest row and snapshots; without it nothing is checked, which a search for faults needs.
    is_fork: None to look it up.
    """

    upto: int | None = None
    """In the origin of a fork, the number of the last event that counts."""

    is_committed = True
    """Whether what is read can no longer be rolled back."""

    def __init__(
        self,
        reader: Reader,
        known: KnownRows | None,
        conversation: str,
        stream: int = 0,
        life: int = 1,
        *,
        is_fork: bool | None = None,
    ) -> None:
        self._given = reader
        self._known = known
        self.conversation = conversation
        self.life = life
        self.stream = stream
        self._is_fork = is_fork
        self._end: Link | None = None

    @classmethod
    def of(cls, reader: Reader, known: KnownRows | None, one: LiveHead | Row) -> Self:
        """The rows of the life to which a head or a row belongs."""
        is_fork = one.is_fork if isinstance(one, LiveHead) else None
        return cls(reader, known, one.conversation, one.stream, one.life, is_fork=is_fork)

    @property
    def _reader(self) -> Reader:
        return self._given

    @cached_property
    def contents(self) -> Contents:
        """Reads what is stored apart from the rows, when an event is shown."""
        known = self._known
        return StoredContents(self._given, None if known is None else known.recorder)

    def bodies(self, begin: Snapshot | None = None) -> Iterator[tuple[StreamRows, Iterable[Body]]]:
        """The rows after a snapshot, oldest first and checked, in batches with their stream."""
        line: list[StreamRows] = [self]
        while (begin is None or line[-1].stream != begin.stream) and (origin := line[-1].origin):
            line.append(origin)
        link = begin and Link(begin.version, begin.digest)
        for rows in reversed(line):
            for stored in rows._own(link if rows is line[-1] else None):
                yield rows, stored

    def _own(self, begin: Link | None) -> Iterator[Iterable[Body]]:
        """The stream's own rows."""
        reader, limit = self._reader, _FIRST
        links = self._links(reader, begin)
        while stored := self._after(reader, links.at.version, limit):
            yield links.take(stored)
            if len(stored) < limit:
                break
            reader, limit = self._reader, min(limit * 2, _LARGEST_BATCH)
        links.finish()

    def _after(self, reader: Reader, version: int, limit: int) -> Sequence[Body]:
        if self._end is not None:
            limit = min(limit, self._end.version - version)
        return reader.bodies(self.stream, version, limit) if self.stream and limit > 0 else ()

    def newest_first(
        self, upto: int | None = None, expected: int | None = None
    ) -> Iterator[tuple[StreamRows, Row]]:
        """The rows, newest first, each checked against the one after it.

        upto: the event with whose row they begin. expected: how many are likely to be read.
        """
        rows: StreamRows | None = self if upto is None else self.with_event(upto)
        while rows is not None:
            for row in rows._own_newest_first(upto, expected or _FIRST_BACK):
                yield rows, row
            rows, upto = rows.origin, None

    def _own_newest_first(self, upto: int | None, limit: int) -> Iterator[Row]:
        last = _NEWEST if self._end is None else self._end.version
        begin = last if upto is None else min(last, self._version_of(upto))
        before = begin + 1 if begin == last else begin + 2  # includes the row that names its digest
        reader = self._reader
        links = self._links(reader)
        while before > 1 and (rows := self._before(reader, before, limit)):
            for row in rows:
                if row.version > begin:
                    links.follow_back(row)
                    continue
                links.take_back(row)
                yield row
            reader, before = self._reader, rows[-1].version
            limit = min(max(limit * 2, _FIRST_BACK), _BATCH)
        links.finish_back()

    def _version_of(self, event: int) -> int:
        """The version of the row that contains an event; the newest if that is near."""
        if self._end is None and self._known is not None:
            head = self._known.tail.head(self.conversation)
            if head is not None and head.stream == self.stream and event > head.event - _FIRST_BACK:
                return _NEWEST
        row = self._row_of(event)
        return _NEWEST if row is None else row.version

    def _newest_before(self, version: int, limit: int) -> list[Row]:
        return self._before(self._reader, version, limit)

    def _before(self, reader: Reader, version: int, limit: int) -> list[Row]:
        return [*reader.rows_newest_first(self.stream, version, limit)] if self.stream else []

    def row(self, version: int) -> Row | None:
        """The stream's own row of a version, or None."""
        found = self._newest_before(version + 1, 1)
        return found[0] if found and found[0].version == version else None

    def last_version(self) -> int:
        """The newest version; 0 without rows."""
        newest = self._newest_before(_NEWEST, 1)
        return newest[0].version if newest else 0

    def snapshot(self, *, event: int | None = None, turn: int | None = None) -> Snapshot | None:
        """The newest snapshot at or before an event, or before the end of a turn."""
        rows: StreamRows | None = self
        while rows is not None:
            if rows.upto is not None:
                event = rows.upto if event is None else min(event, rows.upto)
            if (found := rows._own_snapshot(event, turn)) is not None:
                return found
            rows = rows.origin
        return None

    def _own_snapshot(self, event: int | None, turn: int | None) -> Snapshot | None:
        if not self.stream:
            return None
        reader, known = self._reader, self._known
        due = known.tail.snapshot(self.stream, event, turn) if known else None
        return due or reader.snapshot(self.stream, event=event, turn=turn)

    def redactions(self, events: Callable[[int], Iterable[Event]]) -> Redactions:
        """What the conversation's redactions hide. events: returns the events above a number."""
        if self._known is None or not self.stream:
            return Redactions(enumerate(events(0), 1))
        return self._known.redactions.of(self.stream, events, keep=self.is_committed)

    def _links(self, reader: Reader, begin: Link | None = None) -> AnyLinks:
        if self._known is None or not self.stream:
            return Unchecked(begin)
        if begin is None and self.origin is not None:
            begin = self.origin._end
            begin = begin and Link(0, begin.digest)
        return self._known.links(
            reader, self.conversation, self.stream, self.life, begin, self._end
        )

    # --- forks ----------------------------------------------------------------------------------

    def holding(self, event: int) -> Row | None:
        """The row that contains an event; reads a few rows, whatever the length."""
        return self.with_event(event)._row_of(event)

    def _row_of(self, event: int) -> Row | None:
        """The own row of an event. Its first guesses assume that all commits have the same size."""
        snapshot = self._own_snapshot(event, None)
        low, before = (snapshot.version, snapshot.event) if snapshot else (0, self._shared)
        if before >= event:
            return self.row(low)
        high, rate = low + event - before + 1, before / low if low else 1.0
        for tried in count():
            guess = low + ceil((event - before) / rate) if tried < _GUESSES else (low + high) // 2
            if (guess := max(low + 1, min(guess, high - 1))) >= high:
                return None
            row = self.row(guess)
            first, last = (event + 1, event) if row is None else _numbers(row)
            if first <= event <= last:
                return row
            if last < event:
                rate = max(1.0, (last - before) / (guess - low))
                low, before = guess, last
            else:
                high = guess
        return None

    @property
    def _shared(self) -> int:
        """How many events come from a fork's origin."""
        return 0 if self.origin is None else self.origin.upto or 0

    def with_event(self, event: int) -> StreamRows:
        """The rows of the stream that contains an event: this one, or one from which it was
        forked.
        """
        rows = self
        while rows.origin is not None and event <= (rows.origin.upto or 0):
            rows = rows.origin
        return rows

    @cached_property
    def origin(self) -> StreamRows | None:
        """The rows before the first one in the fork's origin; None if this is not a fork.

        Raises Corrupt if they are missing.
        """
        line: list[StreamRows] = [self]
        while (parent := line[-1]._parent) is not None:
            line.append(parent)
        origin: StreamRows | None = None
        for parent, fork in pairwise(
            reversed(line)
        ):  # oldest first, because a line of forks may be long
            parent.__dict__["origin"] = origin
            origin = fork._shared_of(parent)
        return origin

    @cached_property
    def _first(self) -> tuple[bytes, HistoryContinued] | None:
        """In a fork, what the first row continues: the digest of a row, and the event."""
        if self._is_fork is False or not self.stream:
            return None
        for row in self._reader.rows(self.stream, 0, 1):
            if encoding.is_commit(row.topic) and _numbers(row)[0] > 1:
                event = row.commit(BARE).events[0]
                if isinstance(event, HistoryContinued) and event.conversation is not None:
                    return row.previous, event
        return None

    @property
    def _parent(self) -> StreamRows | None:
        """All rows of the stream from which this one was forked."""
        if self._first is None or (number := self._first[1].conversation) is None:
            return None
        if (stream := self._reader.stream_of(number)) is None:
            raise self._lost(self._first[1])
        name = erased(number) if stream.name is None else decode_name(stream.name)
        return StreamRows(self._reader, self._known, name, number, stream.life)

    def _shared_of(self, parent: StreamRows) -> StreamRows:
        """The part of the parent's rows, or of its origin's, that this fork shares."""
        assert self._first is not None
        digest, continued = self._first
        origin, last = copy(parent.with_event(continued.event)), parent.holding(continued.event)
        if last is None or last.digest() != digest:
            raise self._lost(continued)
        origin.upto, origin._end = continued.event, Link(last.version, digest)
        return origin

    def _lost(self, continued: HistoryContinued) -> Corrupt:
        what = f"event {continued.event} of stream {continued.conversation}"
        why = "is missing, or was changed"
        return Corrupt(f"conversation {self.conversation!r} continues from {what}, which {why}")


def _numbers(row: Row) -> Numbers:
    skeleton = encoding.decode_skeleton(row.skeleton)
    return skeleton.first_event, skeleton.first_event + len(skeleton.tags) - 1
