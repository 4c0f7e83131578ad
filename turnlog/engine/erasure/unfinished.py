"""What an erasure that was cut off left to be done, read from the end of the log's own stream."""

from __future__ import annotations

from typing import NamedTuple

from turnlog.domain.events import ErasureFinished, ErasureRecorded, LogVacuumed
from turnlog.engine.upkeep import newest_first
from turnlog.storage.reader import Reader

_MARKS = (ErasureRecorded, ErasureFinished, LogVacuumed)


class Open(NamedTuple):
    """An erasure: number, position and time of its record, and what that says."""

    erasure: int
    position: int
    recorded: float
    event: ErasureRecorded


class Vacuum(NamedTuple):
    """how: no, yes or full. erasure: number of the last one whose bytes may be left."""

    how: str
    erasure: int


class Unfinished(NamedTuple):
    open: Open | None = None
    vacuum: Vacuum | None = None


def unfinished(reader: Reader) -> Unfinished:
    """Of the newest erasure, which is recorded when those before are dropped."""
    dropped = False
    for recorded in newest_first(reader, _MARKS):
        event = recorded.event
        if isinstance(event, LogVacuumed):
            break
        if isinstance(event, ErasureFinished):
            dropped = True
        elif isinstance(event, ErasureRecorded):
            vacuum = Vacuum(event.vacuum, recorded.number)
            open = Open(recorded.number, recorded.position or 0, recorded.recorded, event)
            return Unfinished(None if dropped else open, vacuum)
    return Unfinished()
