"""What an erasure that was cut off left to be done, read from the end of the log's own stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from turnlog.domain.events import ErasureFinished, ErasureRecorded, LogVacuumed
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.streams import UPKEEP
from turnlog.encoding.apart import BARE
from turnlog.encoding.rows import TAGS, decode_skeleton, is_commit
from turnlog.storage.recorder import Reader

_ROWS_AT_ONCE = 16
_MARKS = (ErasureRecorded, ErasureFinished, LogVacuumed)
_TAGS = frozenset(TAGS[kind] for kind in _MARKS)


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
    for recorded in _newest_marks(reader):
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


def _newest_marks(reader: Reader) -> Iterator[RecordedEvent]:
    stream, before = reader.stream(UPKEEP), 2**62
    while stream and (rows := reader.rows_newest_first(stream.stream, before, _ROWS_AT_ONCE)):
        for row in rows:
            if is_commit(row.topic) and not _TAGS.isdisjoint(decode_skeleton(row.skeleton).tags):
                for recorded in [*row.commit(BARE).recorded_events()][::-1]:
                    if isinstance(recorded.event, _MARKS):
                        yield recorded
        before = rows[-1].version
