"""A log in memory: plain lists and dictionaries, for Python and for tests."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from eventsourcing.persistence import IntegrityError

from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Entry, Head, Mark, Row, Snapshot, Stored

Key = TypeVar("Key")
Value = TypeVar("Value")


class MemoryTransaction:
    """Reads and writes the tables; remembers how to undo what it wrote."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._undo: list[Callable[[], object]] = []
        self._log: list[Row] = []
        self._rows: dict[str, list[Row]] = {}
        self._keys: dict[tuple[str, str], Row] = {}
        self._heads: dict[str, Head] = {}
        self._snapshots: dict[str, dict[int, Snapshot]] = {}
        self._marks: dict[str, Mark] = {}
        self._models: dict[str, dict[tuple[str, str], bytes]] = {}

    # --- reading --------------------------------------------------------------------------------

    def last_position(self) -> int:
        with self._lock:
            return self._log[-1].position if self._log else 0

    def head(self, conversation: str) -> Head | None:
        with self._lock:
            return self._heads.get(conversation)

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        with self._lock:
            names = sorted(name for name in self._heads if name > after)
            return [self._heads[name] for name in names[:limit]]

    def rows(
        self, conversation: str, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        with self._lock:
            rows = self._rows.get(conversation, [])
            first = bisect_right(rows, after, key=lambda row: row.version)
            last = len(rows) if upto is None else bisect_right(rows, upto, key=lambda r: r.version)
            return rows[first:last][:limit]

    def bodies(
        self, conversation: str, after: int = 0, limit: int | None = None
    ) -> Sequence[tuple[int, str, bytes]]:
        rows = self.rows(conversation, after, None, limit)
        return [(row.version, row.topic, row.state) for row in rows]

    def rows_newest_first(self, conversation: str, before: int, limit: int) -> Sequence[Row]:
        with self._lock:
            rows = self._rows.get(conversation, [])
            end = bisect_left(rows, before, key=lambda row: row.version)
            return rows[max(0, end - limit) : end][::-1]

    def keyed(self, conversation: str, key: str) -> Row | None:
        with self._lock:
            return self._keys.get((conversation, key))

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        return [head for name in conversations if (head := self.head(name)) is not None]

    def keyed_rows(self, keys: Sequence[tuple[str, str]]) -> Sequence[Row]:
        return [row for pair in keys if (row := self.keyed(*pair)) is not None]

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        with self._lock:
            first = bisect_right(self._log, after, key=lambda row: row.position)
            return self._log[first : first + limit]

    def snapshot(
        self, conversation: str, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        fitting = [
            snapshot
            for snapshot in self.snapshots(conversation)
            if (event is None or snapshot.event <= event)
            and (turn is None or snapshot.turn <= turn)
        ]
        return fitting[-1] if fitting else None

    def snapshots(self, conversation: str) -> Sequence[Snapshot]:
        with self._lock:
            found = self._snapshots.get(conversation, {})
            return [found[version] for version in sorted(found)]

    def mark(self, model: str) -> Mark | None:
        with self._lock:
            return self._marks.get(model)

    def marks(self) -> Sequence[Mark]:
        with self._lock:
            return list(self._marks.values())

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        with self._lock:
            return self._models.get(model, {}).get((conversation, key))

    def entries(
        self, model: str, conversation: str | None = None, prefix: str = ""
    ) -> Iterator[tuple[str, str, bytes]]:
        with self._lock:
            found = sorted(
                (name, key, value)
                for (name, key), value in self._models.get(model, {}).items()
                if conversation in (None, name) and key.startswith(prefix)
            )
        return iter(found)

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        with self._lock:
            return iter(self._EVERY[kind](self))

    def _every_commits(self) -> list[Row]:
        return [row for name in sorted(self._rows) for row in self._rows[name]]

    def _every_heads(self) -> list[Head]:
        return [self._heads[name] for name in sorted(self._heads)]

    def _every_snapshots(self) -> list[Snapshot]:
        return [found for name in sorted(self._snapshots) for found in self.snapshots(name)]

    def _every_marks(self) -> list[Mark]:
        return list(self._marks.values())

    def _every_models(self) -> list[Entry]:
        return [
            Entry(name, *entry) for name in sorted(self._models) for entry in self.entries(name)
        ]

    _EVERY: ClassVar[dict[type, Callable[[MemoryTransaction], list[Any]]]] = {
        Row: _every_commits,
        Head: _every_heads,
        Snapshot: _every_snapshots,
        Mark: _every_marks,
        Entry: _every_models,
    }

    def complaints(self) -> Iterator[str]:
        return iter(())

    # --- writing --------------------------------------------------------------------------------

    def append(self, rows: Sequence[Row]) -> None:
        for row in rows:
            mine = self._rows.setdefault(row.conversation, [])
            if row.position <= self.last_position() or (mine and row.version <= mine[-1].version):
                raise IntegrityError(f"version {row.version} of {row.conversation!r} is there")
            if row.key is not None:
                if (row.conversation, row.key) in self._keys:
                    raise IntegrityError(f"key {row.key!r} of {row.conversation!r} is there")
                self._set(self._keys, (row.conversation, row.key), row)
            for table in (mine, self._log):
                table.append(row)
                self._undo.append(table.pop)

    def put_heads(self, heads: Sequence[Head]) -> None:
        for head in heads:
            self._set(self._heads, head.conversation, head)

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        for snapshot in snapshots:
            table = self._snapshots.setdefault(snapshot.conversation, {})
            self._set(table, snapshot.version, snapshot)

    def drop_snapshots(self, conversation: str) -> None:
        table = self._snapshots.get(conversation, {})
        for version in list(table):
            self._set(table, version, None)

    def put_mark(self, mark: Mark) -> None:
        self._set(self._marks, mark.model, mark)

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        table = self._models.setdefault(model, {})
        for conversation, key, value in entries:
            self._set(table, (conversation, key), value)

    def clear(self, model: str) -> None:
        self._set(self._models, model, None)
        self._set(self._marks, model, None)

    def _set(self, table: dict[Key, Value], key: Key, value: Value | None) -> None:
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
        self._undo.clear()

    def rollback(self) -> None:
        while self._undo:
            self._undo.pop()()


class MemoryRecorder(Recorder):
    url = "memory:"
    poll = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._tables = MemoryTransaction(self._lock)

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        with self._lock:
            try:
                yield self._tables
                self._tables.commit()
            except BaseException:
                self._tables.rollback()
                raise
        self.signal.send()

    @contextmanager
    def scan(self) -> Iterator[MemoryTransaction]:
        with self._lock:
            yield self._tables

    @property
    def reader(self) -> MemoryTransaction:
        return self._tables

    def close(self) -> None:
        """Nothing to let go of: the log ends with its last reference."""
