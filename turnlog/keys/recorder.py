"""A sealed log: a recorder in clear over one that stores nothing in clear (ADR 19)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from turnlog.encoding.names import decode_name
from turnlog.encoding.rows import SEALED
from turnlog.keys.reader import SealedReader, SealedScan
from turnlog.keys.sealing import Sealing, whose
from turnlog.keys.store import KeyStore
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import (
    BlobChunk,
    Checkpoint,
    Entry,
    Genesis,
    Head,
    Key,
    Row,
    Snapshot,
    Stream,
)


class SealedTransaction(SealedReader[Transaction]):
    """Seals what it writes. Keys are durable before anything sealed under them is written."""

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        """See `Transaction.append`; makes missing keys first."""
        self._below.append(*sealed(self._sealing, self._below, rows, streams), keys)

    def put_keys(self, keys: Sequence[Key]) -> None:
        """See `Transaction.put_keys`; idempotency keys are lookups already."""
        self._below.put_keys(keys)

    def put_genesis(self, genesis: Genesis) -> None:
        """See `Transaction.put_genesis`."""
        self._below.put_genesis(genesis)

    def put_heads(self, heads: Sequence[Head]) -> None:
        """See `Transaction.put_heads`; under the keys of all subjects of each conversation."""
        self._sealing.prepare([head.conversation for head in heads])
        self._below.put_heads([*map(self._sealing.head, heads)])

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """See `Transaction.put_snapshots`; sealed as heads are."""
        named = [(snapshot, self._named(snapshot.stream)) for snapshot in snapshots]
        self._sealing.prepare([name for _, name in named])
        self._below.put_snapshots([self._sealing.snapshot(*each) for each in named])

    def _named(self, number: int) -> str:
        stream = self.stream_of(number)
        return decode_name(stream.name) if stream and stream.name is not None else ""

    def drop_snapshots(self, stream: int) -> None:
        """See `Transaction.drop_snapshots`."""
        self._below.drop_snapshots(stream)

    def put_chunks(self, chunks: Sequence[BlobChunk]) -> None:
        """See `Transaction.put_chunks`; each under the key of the subject it is about."""
        self._below.put_chunks(self._sealing.chunks(chunks))

    def drop_chunks(self, name: bytes, below: int) -> None:
        """See `Transaction.drop_chunks`."""
        self._below.drop_chunks(name, below)

    def put_parts(self, parts: Sequence[tuple[int, bytes, bytes]]) -> None:
        """See `Transaction.put_parts`.

        Whole parts keep their bytes; the rest of a part is sealed again.
        """
        rows = [row for place, *_ in parts for row in self._below.tail(place - 1, 1)]
        left = map(self._sealing.left, rows, (each[2] for each in parts))
        self._below.put_parts([*left])

    def drop_name(self, stream: int) -> None:
        """See `Transaction.drop_name`."""
        self._below.drop_name(stream)

    def drop_head(self, conversation: str) -> None:
        """See `Transaction.drop_head`; found by the conversation's token."""
        self._below.drop_head(self._sealing.below(conversation))

    def drop_keys(self, prefix: bytes) -> None:
        """See `Transaction.drop_keys`."""
        self._below.drop_keys(prefix)

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See `Transaction.put_checkpoint`; not sealed."""
        self._below.put_checkpoint(checkpoint)

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """See `Transaction.put`; keys become tokens, and values are sealed."""
        sealing = self._sealing
        kept = [Entry(model, c, k, value) for c, k, value in entries if value is not None]
        gone = [(c, k) for c, k, value in entries if value is None]
        sealing.prepare([whose(entry) for entry in kept])
        hidden = [(sealing.below(c), sealing.entry_key(k), None) for c, k in gone]
        self._below.put(model, [*hidden, *(sealing.entry(entry)[1:] for entry in kept)])

    def clear(self, model: str) -> None:
        """See `Transaction.clear`."""
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
    """A recorder over `below`. Closing it closes the key store as well.

    genesis: with the key store's secret, which keys the lookups of ids and keys.
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
        """The key store's generation."""
        return self._store.generation

    @property
    def beneath(self) -> Recorder:
        """The recorder that stores what is sealed."""
        return self._below

    def order(self, conversation: str) -> str:
        """The conversation's token."""
        return self._sealing.below(conversation)

    @contextmanager
    def transaction(self) -> Iterator[SealedTransaction]:
        """See `Recorder.transaction`; notices keys that other processes destroyed."""
        self.check_process()
        with self._below.transaction() as transaction:
            self._sealing.refresh()
            yield SealedTransaction(transaction, self._sealing)

    def append(self, rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key]) -> int:
        """See `Recorder.append`. The caller has read before, and so knows of destroyed keys."""
        self.check_writable()
        if not streams and len(rows) == 1 and (one := self._sealing.again(rows[0])) is not None:
            return self._below.append([one], (), keys)
        stored = sealed(self._sealing, self._below.reader, rows, streams)
        return self._below.append(*stored, keys)

    @contextmanager
    def scan(self) -> Iterator[SealedScan]:
        """See `Recorder.scan`; yields what does not open as it is stored."""
        self.check_process()
        self._sealing.refresh()
        with self._below.scan() as scan:
            yield SealedScan(scan, self._sealing)

    @property
    def reader(self) -> SealedReader[Reader]:
        """See `Recorder.reader`; opens what it reads."""
        reader = self._below.reader
        self._sealing.refresh()
        return SealedReader(reader, self._sealing)

    def vacuum(self, *, full: bool = False, wait: bool = True) -> bool:
        """See `Recorder.vacuum`; the log only, not the key store."""
        return self._below.vacuum(full=full, wait=wait)

    def wait_above(self, after: int, timeout: float) -> bool:
        """See `Recorder.wait_above`."""
        return self._below.wait_above(after, timeout)

    def close(self) -> None:
        """Closes the log and the key store; does nothing in a fork."""
        if not self.inherited:
            self._below.close()
            self._store.close()
