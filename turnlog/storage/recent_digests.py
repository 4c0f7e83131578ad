"""Digests of rows that this process has just written, for readers that soon need them."""

from __future__ import annotations

from collections.abc import Mapping

from turnlog.storage.rows import Row

MOST = 100_000
"""The number of rows remembered; beyond it, all are forgotten."""


class RecentDigests:
    """Digests by position. A written digest is trusted over a read one."""

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}

    def note(self, written: Mapping[int, bytes]) -> None:
        """Adds digests of written rows."""
        if len(self._kept) + len(written) > MOST:
            self._kept.clear()
        self._kept.update(written)

    def get(self, position: int) -> bytes | None:
        """The digest at a position, or None."""
        return self._kept.get(position)

    def of(self, row: Row) -> bytes:
        """The digest of a row, computed if it is not remembered."""
        return self._kept.get(row.position) or row.digest()

    def forget(self, upto: int) -> None:
        """The digests at positions up to and including one."""
        for position in [p for p in [*self._kept] if p <= upto]:
            self._kept.pop(position, None)
