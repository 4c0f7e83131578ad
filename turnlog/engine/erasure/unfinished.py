"""What an erasure that was cut off left to be done, read from the end of the log's own stream."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from turnlog.domain.events import ErasureFinished, ErasureRecorded, LogVacuumed
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.streams import UPKEEP
from turnlog.encoding.apart import BARE
from turnlog.encoding.rows import TAGS, decode_skeleton, is_commit
from turnlog.errors import StorageError
from turnlog.storage.recorder import Reader

logger = logging.getLogger(__name__)

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


def finish_at_opening(log: Any) -> None:
    """Carry out what a process that was killed had recorded, and did not do.

    What goes wrong on the way is logged, and tried again when the log is opened next.
    """
    if not log.store.readonly:
        _finish(log)
    if log.keys is not None:
        from turnlog.engine.erasure.destroying import destroy_again

        destroy_again(log)


def _finish(log: Any) -> None:
    try:
        left = unfinished(log.store.reader)
        if left.open is None and (left.vacuum is None or left.vacuum.how == "no"):
            return
        from turnlog.engine.erasure.erasing import finish

        logger.warning("%s: an erasure was cut off; it is finished now", log.store.url)
        if not finish(log, wait=False):
            logger.warning("%s: bytes of what was erased may be in free space", log.store.url)
    except StorageError as error:
        logger.warning("%s: an erasure cannot be finished: %s", log.store.url, error)
