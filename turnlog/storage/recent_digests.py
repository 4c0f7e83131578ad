"""Digests of rows that this process has just written, for whoever builds on them soon."""

from __future__ import annotations

from collections.abc import Mapping

from turnlog.storage.rows import Row

MOST = 100_000
"""Rows that are remembered; with one more it begins anew."""


class RecentDigests:
    """By position. What was written is believed before what is read."""

    def __init__(self) -> None:
        self._kept: dict[int, bytes] = {}

    def note(self, written: Mapping[int, bytes]) -> None:
        if len(self._kept) + len(written) > MOST:
            self._kept.clear()
        self._kept.update(written)

    def get(self, position: int) -> bytes | None:
        return self._kept.get(position)

    def of(self, row: Row) -> bytes:
        return self._kept.get(row.position) or row.digest()

    def forget(self, upto: int) -> None:
        """Those of positions up to and with one."""
        for position in [p for p in [*self._kept] if p <= upto]:
            self._kept.pop(position, None)
