"""A read model in a log that cannot be written: new rows are folded in for each query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, takewhile
from typing import Any, TypeVar

from turnlog.projections.projection import (
    AnyProjection,
    newest_first,
    projected,
    projected_upto,
    set_aside,
)
from turnlog.projections.view import Found, StoredView
from turnlog.storage.reader import Reader
from turnlog.storage.rows import Row
from turnlog.storage.subscription import batches

_Read = TypeVar("_Read")


class LaggingView(StoredView):
    """The stored entries, and one conversation's newer rows folded in memory.

    Raises Corrupt if the projection was made from another log.
    """

    def __init__(self, reader: Reader, projection: AnyProjection) -> None:
        super().__init__(reader, projection.name)
        self._projection = projection
        projected_upto(reader, projection)

    def get(self, conversation: str, key: str) -> Any:
        """A value, current for its conversation."""
        return self._read(conversation, lambda view: view.get(conversation, key))

    def entries(self, conversation: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Keys and values of one conversation, current, in order of key."""
        return iter(self._read(conversation, lambda view: [*view.entries(conversation, prefix)]))

    def find(self, key: str, limit: int | None = None) -> list[Found]:
        """The entries under a key. Reads all rows since the projection ran, as any can add an
        entry.
        """
        checkpoint = self.log.checkpoint(self._projection.name)
        rows = chain.from_iterable(batches(self.log, checkpoint.position if checkpoint else 0))
        return projected([*rows], self._projection, self.log, self.log).find(key, limit)

    def _read(self, conversation: str, read: Callable[[StoredView], _Read]) -> _Read:
        """Reads again if the stored entries changed meanwhile."""
        while True:
            checkpoint = self.log.checkpoint(self._projection.name)
            found = read(self._at(conversation, checkpoint.position if checkpoint else 0))
            if self.log.checkpoint(self._projection.name) == checkpoint:
                return found

    def _at(self, conversation: str, position: int) -> StoredView:
        stored = StoredView(self.log, self._projection.name)
        rows = _rows_above(self.log, conversation, position)
        if not rows or conversation in set_aside(stored):
            return stored
        return projected(rows, self._projection, self.log, self.log)


def _rows_above(reader: Reader, conversation: str, position: int) -> list[Row]:
    """A conversation's rows above a position, oldest first, of all lives."""
    found: list[Row] = []
    life: int | None = None
    while rows := _above(position, newest_first(reader, conversation, life)):
        found += rows
        if (life := rows[-1].life - 1) < 1:
            break
    return found[::-1]


def _above(position: int, rows: Iterable[Row]) -> list[Row]:
    return [*takewhile(lambda row: row.position > position, rows)]
