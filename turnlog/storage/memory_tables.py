"""The tables of a log in memory, for reading and writing."""

from __future__ import annotations

import os
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, ClassVar, TypeVar

from eventsourcing.persistence import IntegrityError

from turnlog.encoding.names import decode_name
from turnlog.storage.rows import (
    EVERY_CHUNK,
    HEADS,
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
    lookup_left,
)

Place = TypeVar("Place")
Value = TypeVar("Value")


class MemoryTransaction:
    """Reads and writes the tables, and remembers how to undo the writes."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._undo: list[Callable[[], object]] = []
        self.genesis = Genesis.new(os.urandom)
        self._log: list[Row] = []
        self._rows: dict[int, list[Row]] = {}
        self._streams: dict[int, Stream] = {}
        self._lives: dict[str, list[int]] = {}
        self._keys: dict[bytes, Key] = {}
        self._heads: dict[str, Head] = {}
        self._snapshots: dict[int, dict[int, Snapshot]] = {}
        self._chunks: dict[bytes, dict[int, BlobChunk]] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._models: dict[str, dict[tuple[str, str], bytes]] = {}

    # --- reading --------------------------------------------------------------------------------

    @property
    def secret(self) -> bytes:
        """See `Reader.secret`."""
        return self.genesis.secret

    def last_position(self) -> int:
        """See `Reader.last_position`."""
        with self._lock:
            return self._log[-1].position if self._log else 0

    def head(self, conversation: str) -> Head | None:
        """See `Reader.head`."""
        with self._lock:
            return self._heads.get(conversation)

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """See `Reader.heads`."""
        with self._lock:
            names = sorted(name for name in self._heads if name > after)
            return [self._heads[name] for name in names[:limit]]

    def heads_newest_first(self, before: int, limit: int) -> Sequence[Head]:
        """See `Reader.heads_newest_first`."""
        with self._lock:
            found = (head for head in self._heads.values() if head.position < before)
            return sorted(found, key=lambda head: head.position, reverse=True)[:limit]

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        """See `Reader.stream`."""
        with self._lock:
            return self._streams.get(self._of(conversation, life))

    def stream_of(self, number: int) -> Stream | None:
        """See `Reader.stream_of`."""
        with self._lock:
            return self._streams.get(number)

    def _of(self, conversation: str, life: int | None = None) -> int:
        lives = self._lives.get(conversation, [])
        if life is None:
            return lives[-1] if lives else -1
        return next((number for number in lives if self._streams[number].life == life), -1)

    def rows(
        self, stream: int, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        """See `Reader.rows`."""
        with self._lock:
            rows = self._rows.get(stream, [])
            first = bisect_right(rows, after, key=lambda row: row.version)
            last = len(rows) if upto is None else bisect_right(rows, upto, key=lambda r: r.version)
            return rows[first:last][:limit]

    def bodies(self, stream: int, after: int = 0, limit: int | None = None) -> Sequence[Body]:
        """See `Reader.bodies`."""
        rows = self.rows(stream, after, None, limit)
        return [Body(row.position, *row[2:8]) for row in rows]

    def rows_newest_first(self, stream: int, before: int, limit: int) -> Sequence[Row]:
        """See `Reader.rows_newest_first`."""
        with self._lock:
            rows = self._rows.get(stream, [])
            end = bisect_left(rows, before, key=lambda row: row.version)
            return rows[max(0, end - limit) : end][::-1]

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        """See `Reader.keyed_rows`."""
        with self._lock:
            found = [self._keys[lookup].position for lookup in lookups if lookup in self._keys]
            return [row for position in found for row in self.tail(position - 1, 1)]

    def keyed_rows_under(self, prefix: bytes) -> Sequence[Row]:
        """See `Reader.keyed_rows_under`."""
        with self._lock:
            keys = self._keys.values()
            found = sorted(key.position for key in keys if key.lookup.startswith(prefix))
            return [row for position in found for row in self.tail(position - 1, 1)]

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        """See `Reader.heads_of`."""
        return [head for name in conversations if (head := self.head(name)) is not None]

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        """See `Reader.tail`."""
        with self._lock:
            first = bisect_right(self._log, after, key=lambda row: row.position)
            return self._log[first : first + limit]

    def snapshot(
        self, stream: int, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        """See `Reader.snapshot`."""
        fitting = [
            snapshot
            for snapshot in self.snapshots(stream)
            if (event is None or snapshot.event <= event)
            and (turn is None or snapshot.turn <= turn)
        ]
        return fitting[-1] if fitting else None

    def snapshots(self, stream: int) -> Sequence[Snapshot]:
        """See `Reader.snapshots`."""
        with self._lock:
            found = self._snapshots.get(stream, {})
            return [found[version] for version in sorted(found)]

    def chunks(self, name: bytes, first: int, count: int) -> Sequence[BlobChunk]:
        """See `Reader.chunks`."""
        with self._lock:
            found = self._chunks.get(name, {})
            return [found[number] for number in sorted(found) if number >= first][:count]

    def stored(self, name: bytes | None = None) -> tuple[int, int]:
        """See `Reader.stored`."""
        names = self.attachment_names() if name is None else [name]
        found = [chunk for each in names for chunk in self.chunks(each, 0, EVERY_CHUNK)]
        return len(found), sum(len(chunk.content) for chunk in found)

    def attachment_names(self) -> Sequence[bytes]:
        """See `Reader.attachment_names`."""
        with self._lock:
            return [name for name, chunks in self._chunks.items() if chunks]

    def checkpoint(self, model: str) -> Checkpoint | None:
        """See `Reader.checkpoint`."""
        with self._lock:
            return self._checkpoints.get(model)

    def checkpoints(self) -> Sequence[Checkpoint]:
        """See `Reader.checkpoints`."""
        with self._lock:
            return list(self._checkpoints.values())

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """See `Reader.get`."""
        with self._lock:
            return self._models.get(model, {}).get((conversation, key))

    def entries(
        self,
        model: str,
        conversation: str | None = None,
        prefix: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, str, bytes]]:
        """See `Reader.entries`."""
        with self._lock:
            found = sorted(
                (name, key, value)
                for (name, key), value in self._models.get(model, {}).items()
                if conversation in (None, name) and key.startswith(prefix)
            )
        return iter(found[:limit])

    def entries_of(self, model: str, conversations: Sequence[str]) -> Sequence[Entry]:
        """See `Reader.entries_of`."""
        return [
            Entry(model, *entry)
            for conversation in conversations
            for entry in self.entries(model, conversation)
        ]

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        """See `Scan.every`."""
        with self._lock:
            return iter(self._EVERY[kind](self))

    def _every_rows(self) -> list[Row]:
        return [row for stream in sorted(self._rows) for row in self._rows[stream]]

    def rows_between(self, first: int, last: int) -> Iterator[Row]:
        """See `Scan.rows_between`."""
        return (row for row in self.every(Row) if first <= row.stream <= last)

    def _every_streams(self) -> list[Stream]:
        return [self._streams[stream] for stream in sorted(self._streams)]

    def _every_keys(self) -> list[Key]:
        return sorted(self._keys.values())

    def _every_heads(self) -> list[Head]:
        return [self._heads[name] for name in sorted(self._heads)]

    def _every_snapshots(self) -> list[Snapshot]:
        return [found[v] for _, found in sorted(self._snapshots.items()) for v in sorted(found)]

    def _every_checkpoints(self) -> list[Checkpoint]:
        return sorted(self._checkpoints.values())

    def _every_models(self) -> list[Entry]:
        return [
            Entry(name, *entry) for name in sorted(self._models) for entry in self.entries(name)
        ]

    _EVERY: ClassVar[dict[type, Callable[[MemoryTransaction], list[Any]]]] = {
        Row: _every_rows,
        Stream: _every_streams,
        Key: _every_keys,
        Head: _every_heads,
        Snapshot: _every_snapshots,
        Checkpoint: _every_checkpoints,
        Entry: _every_models,
    }

    def at_once(self) -> AbstractContextManager[MemoryTransaction]:
        """See `Scan.at_once`."""
        return nullcontext(self)

    def complaints(self) -> Iterator[str]:
        """See `Scan.complaints`."""
        found = [number for lives in self._lives.values() for number in lives]
        return (lookup_left(number) for number in found if self._streams[number].name is None)

    # --- writing --------------------------------------------------------------------------------

    def put_genesis(self, genesis: Genesis) -> None:
        """See `Transaction.put_genesis`."""
        self.genesis = genesis

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        """See `Transaction.append`. Keys wait for `put_keys`; the writer knows those of the
        tail.
        """
        for stream in streams:
            if stream.stream in self._streams:
                raise IntegrityError(f"stream {stream.stream} exists already")
            self._set(self._streams, stream.stream, stream)
            if stream.name is not None:
                lives = self._lives.setdefault(decode_name(stream.name), [])
                lives.append(stream.stream)
                self._undo.append(lives.pop)
        for row in rows:
            mine = self._rows.setdefault(row.stream, [])
            owner = self._streams[row.stream]
            row = Row(*row[:8], owner.owner, owner.name, owner.life)
            if row.position <= self.last_position() or (mine and row.version <= mine[-1].version):
                raise IntegrityError(
                    f"version {row.version} of {row.conversation!r} exists already"
                )
            for table in (mine, self._log):
                table.append(row)
                self._undo.append(table.pop)

    def put_keys(self, keys: Sequence[Key]) -> None:
        """See `Transaction.put_keys`."""
        for key in keys:
            if key.lookup not in self._keys:
                self._set(self._keys, key.lookup, key)

    def put_heads(self, heads: Sequence[Head]) -> None:
        """See `Transaction.put_heads`."""
        for head in heads:
            self._set(self._heads, head.conversation, head)

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """See `Transaction.put_snapshots`."""
        for snapshot in snapshots:
            table = self._snapshots.setdefault(snapshot.stream, {})
            self._set(table, snapshot.version, snapshot)

    def drop_snapshots(self, stream: int) -> None:
        """See `Transaction.drop_snapshots`."""
        table = self._snapshots.get(stream, {})
        for version in list(table):
            self._set(table, version, None)

    def put_chunks(self, chunks: Sequence[BlobChunk]) -> None:
        """See `Transaction.put_chunks`."""
        for chunk in chunks:
            table = self._chunks.setdefault(chunk.name, {})
            if chunk.number not in table:
                self._set(table, chunk.number, chunk)

    def drop_chunks(self, name: bytes, below: int) -> None:
        """See `Transaction.drop_chunks`."""
        table = self._chunks.get(name, {})
        for number in [number for number in table if number < below]:
            self._set(table, number, None)

    def put_parts(self, parts: Sequence[tuple[int, bytes, bytes]]) -> None:
        """See `Transaction.put_parts`."""
        for position, commitments, left in parts:
            [row] = self.tail(position - 1, 1)
            self._replace(row, row._replace(commitments=commitments, parts=left))

    def _replace(self, row: Row, new: Row) -> None:
        for table in (self._log, self._rows[row.stream]):
            place = bisect_left(table, row.position, key=lambda each: each.position)
            table[place] = new
            self._undo.append(partial(table.__setitem__, place, row))

    def drop_name(self, stream: int) -> None:
        """See `Transaction.drop_name`."""
        known = self._streams[stream]
        if known.name is None:
            return
        name = decode_name(known.name)
        left = [number for number in self._lives[name] if number != stream]
        self._set(self._lives, name, left or None)
        self._set(self._streams, stream, known._replace(name=None))
        for row in [*self._rows.get(stream, ())]:
            self._replace(row, row._replace(name=None))

    def drop_head(self, conversation: str) -> None:
        """See `Transaction.drop_head`."""
        self._set(self._heads, conversation, None)

    def drop_keys(self, prefix: bytes) -> None:
        """See `Transaction.drop_keys`."""
        for lookup in [lookup for lookup in self._keys if lookup.startswith(prefix)]:
            self._set(self._keys, lookup, None)

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See `Transaction.put_checkpoint`."""
        self._set(self._checkpoints, checkpoint.model, checkpoint)

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """See `Transaction.put`."""
        table = self._models.setdefault(model, {})
        for conversation, key, value in entries:
            self._set(table, (conversation, key), value)

    def clear(self, model: str) -> None:
        """See `Transaction.clear`."""
        if model == HEADS:
            for name in list(self._heads):
                self._set(self._heads, name, None)
            for lookup in list(self._keys):
                self._set(self._keys, lookup, None)
            for stream in list(self._snapshots):
                self._set(self._snapshots, stream, None)
        self._set(self._models, model, None)
        self._set(self._checkpoints, model, None)

    def _set(self, table: dict[Place, Value], key: Place, value: Value | None) -> None:
        before = table.get(key)
        if before is None:
            self._undo.append(lambda: table.pop(key, None))
        else:
            self._undo.append(lambda: table.__setitem__(key, before))
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value

    def commit(self) -> None:
        """Makes the writes permanent."""
        self._undo.clear()

    def rollback(self) -> None:
        """Undoes the writes, newest first."""
        while self._undo:
            self._undo.pop()()
