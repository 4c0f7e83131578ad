"""A log that is sealed: a recorder in clear over one that stores nothing in clear (ADR 19)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from turnlog.encoding.rows import SEALED, decode_name
from turnlog.errors import StorageError
from turnlog.keys.sealing import ADDED_BYTES, Sealing, is_ordered, whose
from turnlog.keys.store import KeyStore
from turnlog.storage.recorder import Reader, Recorder, Scan, Transaction
from turnlog.storage.rows import (
    BlobChunk,
    Body,
    Checkpoint,
    Entry,
    Genesis,
    Head,
    Key,
    Row,
    Snapshot,
    Stored,
    Stream,
)

Below = TypeVar("Below", bound=Reader)


class SealedReader(Generic[Below]):
    """Opens what it reads. What was sealed under a destroyed key is as if it was dropped."""

    def __init__(self, below: Below, sealing: Sealing) -> None:
        self._below = below
        self._sealing = sealing

    @property
    def secret(self) -> bytes:
        return self._sealing.store.secret

    def last_position(self) -> int:
        return self._below.last_position()

    # --- heads ----------------------------------------------------------------------------------

    def head(self, conversation: str) -> Head | None:
        found = self._below.head(self._sealing.below(conversation))
        return self._head(found) if found else None

    def _head(self, head: Head) -> Head | None:
        return self._sealing.opened_head(head)

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """In order of token."""
        place = self._sealing.below(after) if after else ""
        while stored := self._below.heads(place, limit):
            if found := [*filter(None, map(self._head, stored))]:
                return found
            place = stored[-1].conversation
        return []

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
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
        return self._rows(self._below.rows(stream, after, upto, limit))

    def bodies(self, stream: int, after: int = 0, limit: int | None = None) -> Sequence[Body]:
        stored = self._below.bodies(stream, after, limit)
        owner = self._below.stream_of(stream) if stored else None
        if owner is None:
            return stored
        return [self._body(Body._make(body), owner.owner) for body in stored]

    def _body(self, body: Body, owner: bytes) -> Body:
        return self._sealing.opened_body(body, owner)

    def rows_newest_first(self, stream: int, before: int, limit: int) -> Sequence[Row]:
        return self._rows(self._below.rows_newest_first(stream, before, limit))

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        return self._rows(self._below.keyed_rows(lookups))

    def keyed_rows_under(self, prefix: bytes) -> Sequence[Row]:
        return self._rows(self._below.keyed_rows_under(prefix))

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        return self._rows(self._below.tail(after, limit))

    # --- streams --------------------------------------------------------------------------------

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        found = self._below.stream(self._sealing.below(conversation), life)
        return self._stream(found) if found else None

    def stream_of(self, number: int) -> Stream | None:
        found = self._below.stream_of(number)
        return self._stream(found) if found else None

    def _stream(self, stream: Stream) -> Stream:
        return self._sealing.opened_stream(stream)

    # --- snapshots and chunks -------------------------------------------------------------------

    def snapshot(
        self, stream: int, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        found = self._below.snapshot(stream, event=event, turn=turn)
        return self._snapshot(found) if found else None

    def snapshots(self, stream: int) -> Sequence[Snapshot]:
        return [*filter(None, map(self._snapshot, self._below.snapshots(stream)))]

    def _snapshot(self, snapshot: Snapshot) -> Snapshot | None:
        return self._sealing.opened_snapshot(snapshot)

    def chunks(self, name: bytes, first: int, count: int) -> Sequence[BlobChunk]:
        return [*filter(None, map(self._chunk, self._below.chunks(name, first, count)))]

    def _chunk(self, chunk: BlobChunk) -> BlobChunk | None:
        return self._sealing.opened_chunk(chunk)

    def stored(self, name: bytes | None = None) -> tuple[int, int]:
        count, size = self._below.stored(name)
        return count, size - count * ADDED_BYTES

    def attachment_names(self) -> Sequence[bytes]:
        return self._below.attachment_names()

    # --- read models ----------------------------------------------------------------------------

    def checkpoint(self, model: str) -> Checkpoint | None:
        return self._below.checkpoint(model)

    def checkpoints(self) -> Sequence[Checkpoint]:
        return self._below.checkpoints()

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
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
        """All of a conversation's are read, unless the first are asked for and stand in order."""
        token = None if conversation is None else self._sealing.below(conversation)
        if limit is not None and token is not None and not prefix:
            found = self._entries(self._below.entries(model, token, "", limit), model)
            if all(is_ordered(key) for _, key, _ in found):
                return iter(found)
        every = self._entries(self._below.entries(model, token), model)
        return iter(sorted(entry for entry in every if entry[1].startswith(prefix))[:limit])

    def _entries(
        self, stored: Iterable[tuple[str, str, bytes]], model: str
    ) -> list[tuple[str, str, bytes]]:
        opened = (self._entry(Entry(model, *entry)) for entry in stored)
        return [found[1:] for found in opened if found is not None]


As = TypeVar("As")
Opened = TypeVar("Opened")


_UNOPENED = (StorageError, TypeError, ValueError, AttributeError, LookupError)


class SealedScan(SealedReader[Scan]):
    """What cannot be opened comes as it is stored: whoever looks for faults finds it so."""

    def at_once(self) -> AbstractContextManager[Scan]:
        return self._at_once()

    @contextmanager
    def _at_once(self) -> Iterator[Scan]:
        with self._below.at_once() as now:
            yield SealedScan(now, self._sealing)

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        opened: Any = self._OPENED.get(kind, lambda _, stored: stored)
        for stored in self._below.every(kind):
            if (found := opened(self, stored)) is not None:
                yield found

    def rows_between(self, first: int, last: int) -> Iterator[Row]:
        return map(self._row, self._below.rows_between(first, last))

    def complaints(self) -> Iterator[str]:
        return self._below.complaints()

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """None for what cannot be opened: it is none of that conversation's."""
        with suppress(*_UNOPENED):
            return super().get(model, conversation, key)
        return None

    def _row(self, row: Row) -> Row:
        """As it is stored, too, where its commitments are not those of what it says."""
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


class SealedTransaction(SealedReader[Transaction]):
    """Seals what it writes. Keys are durable before what is sealed under them is written."""

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        self._below.append(*sealed(self._sealing, self._below, rows, streams), keys)

    def put_keys(self, keys: Sequence[Key]) -> None:
        self._below.put_keys(keys)

    def put_genesis(self, genesis: Genesis) -> None:
        self._below.put_genesis(genesis)

    def put_heads(self, heads: Sequence[Head]) -> None:
        self._sealing.prepare([head.conversation for head in heads])
        self._below.put_heads([*map(self._sealing.head, heads)])

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        named = [(snapshot, self._named(snapshot.stream)) for snapshot in snapshots]
        self._sealing.prepare([name for _, name in named])
        self._below.put_snapshots([self._sealing.snapshot(*each) for each in named])

    def _named(self, number: int) -> str:
        stream = self.stream_of(number)
        return decode_name(stream.name) if stream and stream.name is not None else ""

    def drop_snapshots(self, stream: int) -> None:
        self._below.drop_snapshots(stream)

    def put_chunks(self, chunks: Sequence[BlobChunk]) -> None:
        self._below.put_chunks(self._sealing.chunks(chunks))

    def drop_chunks(self, name: bytes, below: int) -> None:
        self._below.drop_chunks(name, below)

    def put_parts(self, parts: Sequence[tuple[int, bytes, bytes]]) -> None:
        """What is left stays sealed as it was; of what is left of a part, sealed anew."""
        rows = [row for place, *_ in parts for row in self._below.tail(place - 1, 1)]
        left = map(self._sealing.left, rows, (each[2] for each in parts))
        self._below.put_parts([*left])

    def drop_name(self, stream: int) -> None:
        self._below.drop_name(stream)

    def drop_head(self, conversation: str) -> None:
        self._below.drop_head(self._sealing.below(conversation))

    def drop_keys(self, prefix: bytes) -> None:
        self._below.drop_keys(prefix)

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._below.put_checkpoint(checkpoint)

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        sealing = self._sealing
        kept = [Entry(model, c, k, value) for c, k, value in entries if value is not None]
        gone = [(c, k) for c, k, value in entries if value is None]
        sealing.prepare([whose(entry) for entry in kept])
        hidden = [(sealing.below(c), sealing.entry_key(k), None) for c, k in gone]
        self._below.put(model, [*hidden, *(sealing.entry(entry)[1:] for entry in kept)])

    def clear(self, model: str) -> None:
        self._below.clear(model)


def sealed(
    sealing: Sealing, below: Reader, rows: Sequence[Row], streams: Sequence[Stream]
) -> tuple[list[Row], list[Stream]]:
    """Rows, and the streams that begin with them, as they are stored."""
    begun = {stream.stream: stream.name for stream in streams}

    def whose(row: Row) -> str:
        if (name := begun.get(row.stream, row.name)) is None and (
            found := below.stream_of(row.stream)
        ):
            name = sealing.opened_name(found.name, found.owner)
        return "" if name is None else decode_name(name)

    made = sealing.rows(rows, whose)
    return made, [*map(sealing.stream, streams)]


class SealedRecorder(Recorder):
    """below: where it is stored. keys: the key store, which is closed with it.

    genesis: with the key store's secret, so that ids and keys are looked up with that.
    """

    encoding = SEALED

    def __init__(self, below: Recorder, keys: KeyStore) -> None:
        super().__init__(readonly=below.readonly)
        self._below = below
        self.keys = self._store = keys
        self._sealing = Sealing(keys)
        self.url, self.address = below.url, below.address
        self.signal, self.poll = below.signal, below.poll
        self.high_water = below.high_water
        self.gives_positions = below.gives_positions
        self.genesis = below.genesis._replace(secret=keys.secret)
        self.out_of_reach = below.out_of_reach

    @property
    def generation(self) -> int:
        return self._store.generation

    @property
    def beneath(self) -> Recorder:
        return self._below

    def order(self, conversation: str) -> str:
        return self._sealing.below(conversation)

    @contextmanager
    def transaction(self) -> Iterator[SealedTransaction]:
        self.check_process()
        with self._below.transaction() as transaction:
            self._sealing.refresh()
            yield SealedTransaction(transaction, self._sealing)

    def append(self, rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key]) -> int:
        """The caller has read before, and so knows of keys that were destroyed."""
        self.check_writable()
        if not streams and len(rows) == 1 and (one := self._sealing.again(rows[0])) is not None:
            return self._below.append([one], (), keys)
        stored = sealed(self._sealing, self._below.reader, rows, streams)
        return self._below.append(*stored, keys)

    @contextmanager
    def scan(self) -> Iterator[SealedScan]:
        self.check_process()
        self._sealing.refresh()
        with self._below.scan() as scan:
            yield SealedScan(scan, self._sealing)

    @property
    def reader(self) -> SealedReader[Reader]:
        reader = self._below.reader
        self._sealing.refresh()
        return SealedReader(reader, self._sealing)

    def vacuum(self, *, full: bool = False, wait: bool = True) -> bool:
        return self._below.vacuum(full=full, wait=wait)

    def wait_above(self, after: int, timeout: float) -> bool:
        return self._below.wait_above(after, timeout)

    def close(self) -> None:
        if not self.inherited:
            self._below.close()
            self._store.close()
