"""The provenance of a report: which log, how much of it, who made the report and when."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from turnlog.errors import Corrupt


class Provenance(msgspec.Struct, frozen=True):
    """Ties a report to a log.

    log: the digest of its genesis row, in hex, which no other log has. head: the digest of the row
    at the last position, in hex, or why it is missing. made: UTC seconds. anchored: what the head
    was compared with.
    """

    log: str
    first: int
    last: int
    head: str
    made: float
    by: str
    version: str
    zone: ZoneInfo | None = None
    anchored: str | None = None

    @property
    def range(self) -> str:
        """The covered positions, in words."""
        return f"positions {self.first} to {self.last}" if self.last else "no rows"


def provenance(log: Any, *, by: str, zone: ZoneInfo | None = None) -> Provenance:
    """The provenance of a report on the log's current state. by: who makes it."""
    from turnlog import __version__

    last = log.store.reader.last_position()
    return Provenance(
        log.digest(0).hex(), min(1, last), last, _head(log, last), log.clock(),
        by, __version__, zone,
    )  # fmt: skip


def _head(log: Any, last: int) -> str:
    try:
        head: str = log.digest(last).hex()
    except Corrupt as error:
        return f"the row at position {last} cannot be read: {error}"
    return head
