"""The rows of one life of a conversation, read in batches and checked as they come by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Self

from turnlog.projections.live_head import LiveHead
from turnlog.storage.links import AnyLinks, Link, Unchecked
from turnlog.storage.recorder import Reader
from turnlog.storage.rows import Body, Row, Snapshot

if TYPE_CHECKING:  # which read the rows of a past too
    from turnlog.projections.heads import Heads

_BATCH, _LARGEST_BATCH = 64, 256
_NEWEST = 2**62


class StreamRows:
    """Where the rows of a history come from: one stream, whatever becomes of its conversation.

    stream: its number; 0 of a conversation that has not begun, which has no rows. heads: know its
    newest row and its newest snapshots; without them nothing is checked, for whoever looks for
    faults.
    """

    def __init__(
        self,
        reader: Reader,
        heads: Heads | None,
        conversation: str,
        stream: int = 0,
        life: int = 1,
    ) -> None:
        self._given = reader
        self._heads = heads
        self.conversation = conversation
        self.life = life
        self.stream = stream

    @classmethod
    def of(cls, reader: Reader, heads: Heads | None, one: LiveHead | Row) -> Self:
        """Those of the life that a head or a row belongs to."""
        return cls(reader, heads, one.conversation, one.stream, one.life)

    @property
    def _reader(self) -> Reader:
        return self._given

    def bodies(self, begin: Link | None = None) -> Iterator[Iterable[Body]]:
        """The rows after a link, oldest first, in batches; each row is checked."""
        links = self._links(begin)
        limit = _BATCH
        while self.stream and (stored := self._reader.bodies(self.stream, links.at.version, limit)):
            yield links.take(stored)
            limit = min(limit * 4, _LARGEST_BATCH)
        links.finish()

    def newest_first(self) -> Iterator[Row]:
        """The rows from the last to the first, each checked against the one after it."""
        before = _NEWEST
        links = self._links()
        while rows := self._newest_before(before, _BATCH):
            for row in rows:
                links.take_back(row)
                yield row
            before = rows[-1].version
        links.finish_back()

    def _newest_before(self, version: int, limit: int) -> list[Row]:
        if not self.stream:
            return []
        return [*self._reader.rows_newest_first(self.stream, version, limit)]

    def row(self, version: int) -> Row | None:
        found = self._newest_before(version + 1, 1)
        return found[0] if found and found[0].version == version else None

    def last_version(self) -> int:
        """0 where there are no rows."""
        newest = self._newest_before(_NEWEST, 1)
        return newest[0].version if newest else 0

    def snapshot(self, *, event: int | None = None, turn: int | None = None) -> Snapshot | None:
        """The newest one at or before an event, or before the end of a turn."""
        if not self.stream:
            return None
        reader, heads = self._reader, self._heads
        due = heads.snapshot(self.stream, event=event, turn=turn) if heads else None
        return due or reader.snapshot(self.stream, event=event, turn=turn)

    def _links(self, begin: Link | None = None) -> AnyLinks:
        if self._heads is None or not self.stream:
            return Unchecked(begin)
        return self._heads.links(self._reader, self.conversation, self.stream, self.life, begin)


class LivingRows(StreamRows):
    """The same, for as long as the conversation is not deleted.

    Reading raises UnknownConversation once it is, whether or not it has begun anew.
    """

    @property
    def _reader(self) -> Reader:
        if self._heads is not None:
            self._heads.check_living(self._given, self.conversation, self.stream)
        return self._given
