"""What an interrupted erasure left to do, read from the end of the log's own stream."""

from __future__ import annotations

from typing import NamedTuple

from turnlog.domain.events import ErasureFinished, ErasureRecorded, LogVacuumed
from turnlog.engine.upkeep import newest_first
from turnlog.storage.reader import Reader

_MARKS = (ErasureRecorded, ErasureFinished, LogVacuumed)


class Open(NamedTuple):
    """An erasure: number, position, time and content of its record."""

    erasure: int
    position: int
    recorded: float
    event: ErasureRecorded


class Vacuum(NamedTuple):
    """how: no, yes or full. erasure: the number of the last one whose bytes may remain."""

    how: str
    erasure: int


class Unfinished(NamedTuple):
    """What is left to do: an erasure to carry out, and free space to clear."""

    open: Open | None = None
    vacuum: Vacuum | None = None


def unfinished(reader: Reader) -> Unfinished:
    """For the newest erasure, which is recorded when all earlier ones are carried out."""
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
