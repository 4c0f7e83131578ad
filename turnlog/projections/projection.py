"""What a projection is, and how it follows the log.

A projection folds commits, in order of position, into entries (conversation, key, value). Its
mark, position and digest of the last row, is written in the same transaction as the entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from turnlog.domain.conversation import Commit
from turnlog.domain.streams import is_conversation
from turnlog.serializers import binary
from turnlog.storage.recorder import Mark, Reader, Recorder, Row

BATCH = 2000
"""Commits that are projected in one transaction at most."""


class View(Protocol):
    """A projection's entries while it works on them; values are plain (msgpack)."""

    def get(self, conversation: str, key: str) -> Any: ...

    def put(self, conversation: str, key: str, value: Any) -> None: ...

    def remove(self, conversation: str, key: str) -> None: ...

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values of one conversation, in order of key."""
        ...


class Projection(Protocol):
    """With `all_streams = True` it sees the log's own streams too, not conversations alone."""

    name: ClassVar[str]

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """Fold commits, oldest first, into the view; whatever they held, the same entries."""
        ...


class Buffer:
    """A view over stored entries whose changes wait until the batch is done."""

    def __init__(self, reader: Reader | None, model: str) -> None:
        self._reader = reader
        self._model = model
        self.changes: dict[tuple[str, str], Any] = {}

    def get(self, conversation: str, key: str) -> Any:
        if (conversation, key) in self.changes:
            return self.changes[conversation, key]
        stored = self._reader.get(self._model, conversation, key) if self._reader else None
        return None if stored is None else binary.decode(stored)

    def put(self, conversation: str, key: str, value: Any) -> None:
        self.changes[conversation, key] = value

    def remove(self, conversation: str, key: str) -> None:
        self.changes[conversation, key] = None

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        found: dict[str, Any] = {}
        if self._reader is not None:
            for _, key, value in self._reader.entries(self._model, conversation, prefix):
                found[key] = binary.decode(value)
        for (name, key), value in self.changes.items():
            if name == conversation and key.startswith(prefix):
                found[key] = value
        return iter(sorted((key, value) for key, value in found.items() if value is not None))

    def encoded(self) -> list[tuple[str, str, bytes | None]]:
        return [
            (conversation, key, None if value is None else binary.encode(value))
            for (conversation, key), value in self.changes.items()
        ]


def commits(rows: Iterable[Row], projection: Projection) -> list[Commit]:
    """The commits that a projection sees: a foreign application's rows project to nothing."""
    every = getattr(projection, "all_streams", False)
    return [
        row.commit()
        for row in rows
        if binary.is_commit(row.topic) and (every or is_conversation(row.conversation))
    ]


def catch_up(recorder: Recorder, projections: Iterable[Projection], batch: int = BATCH) -> int:
    """Project what is new; the number of positions that were gone through."""
    return sum(_catch_up(recorder, projection, batch) for projection in projections)


def _catch_up(recorder: Recorder, projection: Projection, batch: int) -> int:
    done = 0
    while True:
        mark = recorder.reader.mark(projection.name)
        if recorder.reader.last_position() <= (mark.position if mark else 0):
            return done
        with recorder.transaction() as transaction:
            mark = transaction.mark(projection.name)
            rows = transaction.tail(mark.position if mark else 0, batch)
            if not rows:
                return done
            buffer = Buffer(transaction, projection.name)
            projection.apply(commits(rows, projection), buffer)
            transaction.put(projection.name, buffer.encoded())
            transaction.put_mark(Mark(projection.name, rows[-1].position, rows[-1].digest()))
        done += len(rows)


def rebuild(recorder: Recorder, projection: Projection, batch: int = BATCH) -> int:
    """Throw a projection away and make it again; readers see the old or the new one."""
    with recorder.transaction() as transaction:
        transaction.clear(projection.name)
        return _project_all(transaction, projection, batch)


def _project_all(transaction: Any, projection: Projection, batch: int) -> int:
    done = 0
    while rows := transaction.tail(done, batch):
        buffer = Buffer(transaction, projection.name)
        projection.apply(commits(rows, projection), buffer)
        transaction.put(projection.name, buffer.encoded())
        done = rows[-1].position
        transaction.put_mark(Mark(projection.name, done, rows[-1].digest()))
    return done
