"""Readers of a sealed log: one that opens what it reads, and one that looks for faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from turnlog.errors import StorageError
from turnlog.keys.sealing import ADDED_BYTES, Sealing, is_ordered
from turnlog.storage.reader import Reader, Scan
from turnlog.storage.rows import (
    BlobChunk,
    Body,
    Checkpoint,
    Entry,
    Head,
    Row,
    Snapshot,
    Stored,
    Stream,
)

Below = TypeVar("Below", bound=Reader)


class SealedReader(Generic[Below]):
    """Opens what it reads. What was sealed under a destroyed key reads as dropped."""

    def __init__(self, below: Below, sealing: Sealing) -> None:
        self._below = below
        self._sealing = sealing

    @property
    def secret(self) -> bytes:
        """The key store's secret, which keys the lookups of ids."""
        return self._sealing.store.secret

    def last_position(self) -> int:
        """See `Reader.last_position`."""
        return self._below.last_position()

    # --- heads ----------------------------------------------------------------------------------

    def head(self, conversation: str) -> Head | None:
        """See `Reader.head`; None if its key was destroyed."""
        found = self._below.head(self._sealing.below(conversation))
        return self._head(found) if found else None

    def _head(self, head: Head) -> Head | None:
        return self._sealing.opened_head(head)

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """See `Reader.heads`; in order of the conversations' tokens."""
        place = self._sealing.below(after) if after else ""
        while stored := self._below.heads(place, limit):
            if found := [*filter(None, map(self._head, stored))]:
                return found
            place = stored[-1].conversation
        return []

    def heads_newest_first(self, before: int, limit: int) -> Sequence[Head]:
        """See `Reader.heads_newest_first`; without heads whose key was destroyed."""
        while stored := self._below.heads_newest_first(before, limit):
            if found := [*filter(None, map(self._head, stored))]:
                return found
            before = stored[-1].position
        return []

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        """See `Reader.heads_of`; without heads whose key was destroyed."""
        stored = self._below.heads_of([*map(self._sealing.below, conversations)])
        return [*filter(None, map(self._head, stored))]

    # --- rows -----------------------------------------------------------------------------------

    def _row(self, row: Row) -> Row:
        return self._sealing.opened_row(row)

    def _rows(self, rows: Iterable[Row]) -> list[Row]:
        return [*map(self._row, rows)]

    def rows(
        self, stream: int, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        """See `Reader.rows`."""
        return self._rows(self._below.rows(stream, after, upto, limit))

    def bodies(self, stream: int, after: int = 0, limit: int | None = None) -> Sequence[Body]:
        """See `Reader.bodies`; opened."""
        stored = self._below.bodies(stream, after, limit)
        owner = self._below.stream_of(stream) if stored else None
        if owner is None:
            return stored
        return [self._body(Body._make(body), owner.owner) for body in stored]

    def _body(self, body: Body, owner: bytes) -> Body:
        return self._sealing.opened_body(body, owner)

    def rows_newest_first(self, stream: int, before: int, limit: int) -> Sequence[Row]:
        """See `Reader.rows_newest_first`."""
        return self._rows(self._below.rows_newest_first(stream, before, limit))

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        """See `Reader.keyed_rows`."""
        return self._rows(self._below.keyed_rows(lookups))

    def keyed_rows_under(self, prefix: bytes) -> Sequence[Row]:
        """See `Reader.keyed_rows_under`."""
        return self._rows(self._below.keyed_rows_under(prefix))

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        """See `Reader.tail`."""
        return self._rows(self._below.tail(after, limit))

    # --- streams --------------------------------------------------------------------------------

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        """See `Reader.stream`; found by the conversation's token."""
        found = self._below.stream(self._sealing.below(conversation), life)
        return self._stream(found) if found else None

    def stream_of(self, number: int) -> Stream | None:
        """See `Reader.stream_of`; without its name if the key was destroyed."""
        found = self._below.stream_of(number)
        return self._stream(found) if found else None

    def _stream(self, stream: Stream) -> Stream:
        return self._sealing.opened_stream(stream)

    # --- snapshots and chunks -------------------------------------------------------------------

    def snapshot(
        self, stream: int, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        """See `Reader.snapshot`; None if its key was destroyed."""
        found = self._below.snapshot(stream, event=event, turn=turn)
        return self._snapshot(found) if found else None

    def snapshots(self, stream: int) -> Sequence[Snapshot]:
        """See `Reader.snapshots`; without those whose key was destroyed."""
        return [*filter(None, map(self._snapshot, self._below.snapshots(stream)))]

    def _snapshot(self, snapshot: Snapshot) -> Snapshot | None:
        return self._sealing.opened_snapshot(snapshot)

    def chunks(self, name: bytes, first: int, count: int) -> Sequence[BlobChunk]:
        """See `Reader.chunks`; without those whose key was destroyed."""
        return [*filter(None, map(self._chunk, self._below.chunks(name, first, count)))]

    def _chunk(self, chunk: BlobChunk) -> BlobChunk | None:
        return self._sealing.opened_chunk(chunk)

    def stored(self, name: bytes | None = None) -> tuple[int, int]:
        """See `Reader.stored`; the bytes in clear."""
        count, size = self._below.stored(name)
        return count, size - count * ADDED_BYTES

    def attachment_names(self) -> Sequence[bytes]:
        """See `Reader.attachment_names`; names are not sealed."""
        return self._below.attachment_names()

    # --- read models ----------------------------------------------------------------------------

    def checkpoint(self, model: str) -> Checkpoint | None:
        """See `Reader.checkpoint`; checkpoints are not sealed."""
        return self._below.checkpoint(model)

    def checkpoints(self) -> Sequence[Checkpoint]:
        """See `Reader.checkpoints`; checkpoints are not sealed."""
        return self._below.checkpoints()

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """See `Reader.get`; found by tokens of the conversation and the key."""
        token, hidden = self._sealing.below(conversation), self._sealing.entry_key(key)
        value = self._below.get(model, token, hidden)
        if value is None:
            return None
        found = self._sealing.opened_entry(Entry(model, token, hidden, value))
        return found and found.value

    def _entry(self, entry: Entry) -> Entry | None:
        return self._sealing.opened_entry(entry)

    def entries(
        self,
        model: str,
        conversation: str | None = None,
        prefix: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, str, bytes]]:
        """See `Reader.entries`. Reads all entries of the conversation and sorts them.

        With a limit it reads the first ones only, if their keys keep their order when sealed.
        """
        token = None if conversation is None else self._sealing.below(conversation)
        if limit is not None and token is not None and not prefix:
            found = self._entries(self._below.entries(model, token, "", limit), model)
            if all(is_ordered(key) for _, key, _ in found):
                return iter(found)
        every = self._entries(self._below.entries(model, token), model)
        return iter(sorted(entry for entry in every if entry[1].startswith(prefix))[:limit])

    def entries_of(self, model: str, conversations: Sequence[str]) -> Sequence[Entry]:
        """See `Reader.entries_of`; without entries whose key was destroyed."""
        stored = self._below.entries_of(model, [*map(self._sealing.below, conversations)])
        return [*filter(None, map(self._entry, stored))]

    def _entries(
        self, stored: Iterable[tuple[str, str, bytes]], model: str
    ) -> list[tuple[str, str, bytes]]:
        opened = (self._entry(Entry(model, *entry)) for entry in stored)
        return [found[1:] for found in opened if found is not None]


As = TypeVar("As")
Opened = TypeVar("Opened")


_UNOPENED = (StorageError, TypeError, ValueError, AttributeError, LookupError)


class SealedScan(SealedReader[Scan]):
    """Yields what does not open as it is stored, so that `verify` finds the fault."""

    def at_once(self) -> AbstractContextManager[Scan]:
        """See `Scan.at_once`."""
        return self._at_once()

    @contextmanager
    def _at_once(self) -> Iterator[Scan]:
        with self._below.at_once() as now:
            yield SealedScan(now, self._sealing)

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        """See `Scan.every`; without what was sealed under a destroyed key."""
        opened: Any = self._OPENED.get(kind, lambda _, stored: stored)
        for stored in self._below.every(kind):
            if (found := opened(self, stored)) is not None:
                yield found

    def rows_between(self, first: int, last: int) -> Iterator[Row]:
        """See `Scan.rows_between`."""
        return map(self._row, self._below.rows_between(first, last))

    def complaints(self) -> Iterator[str]:
        """See `Scan.complaints`; the database's own."""
        return self._below.complaints()

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """See `Reader.get`; None for an entry that does not open."""
        with suppress(*_UNOPENED):
            return super().get(model, conversation, key)
        return None

    def _row(self, row: Row) -> Row:
        """The row as stored if it does not open, or if its digest changes by opening."""
        opened = _tolerant(super()._row, row)
        try:
            is_same = opened.commitments or opened.digest() == row.digest()
        except _UNOPENED:
            is_same = False
        return opened if is_same else row

    def _body(self, body: Body, owner: bytes) -> Body:
        return _tolerant(partial(super()._body, owner=owner), body)

    def _stream(self, stream: Stream) -> Stream:
        return _tolerant(super()._stream, stream)

    def _head(self, head: Head) -> Head | None:
        return _tolerant(super()._head, head)

    def _snapshot(self, snapshot: Snapshot) -> Snapshot | None:
        return _tolerant(super()._snapshot, snapshot)

    def _chunk(self, chunk: BlobChunk) -> BlobChunk | None:
        return _tolerant(super()._chunk, chunk)

    def _entry(self, entry: Entry) -> Entry | None:
        return _tolerant(super()._entry, entry)

    _OPENED: ClassVar[dict[type, Any]] = {
        Row: _row,
        Stream: _stream,
        Head: _head,
        Snapshot: _snapshot,
        Entry: _entry,
    }


def _tolerant(opened: Callable[[As], Opened], stored: As) -> As | Opened:
    try:
        return opened(stored)
    except _UNOPENED:
        return stored
