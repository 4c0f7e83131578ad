"""Who reads a log, if it records that: the reading is recorded before anything is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from turnlog.domain.events import AccessRecorded, AccessRecordingSet
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.streams import ACCESS, UPKEEP
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Request
from turnlog.engine.upkeep import newest_first, record
from turnlog.storage.reader import Reader
from turnlog.storage.rows import erased


class AccessWatch:
    """Whether a log records who reads it; looks again only after the log's own stream has grown."""

    def __init__(self, log: Turnlog) -> None:
        self._log = log
        self._seen = -1
        self._on = False

    @property
    def on(self) -> bool:
        """Whether readings are recorded now."""
        head = self._log.current.head(self._log.store.reader, UPKEEP)
        if (end := head.event if head else 0) != self._seen:
            self._on, self._seen = _is_on(self._log.store.reader), end
        return self._on


def _is_on(reader: Reader) -> bool:
    newest = next(newest_first(reader, (AccessRecordingSet,)), None)
    return newest is not None and isinstance(newest.event, AccessRecordingSet) and newest.event.on


def set_recording(log: Turnlog, *, on: bool, actor: str, reason: str | None = None) -> None:
    """Begin or stop recording who reads the log."""
    record(log, AccessRecordingSet(on, reason, actor=actor))


def access_request(
    log: Turnlog, way: str, ids: Iterable[str], *, actor: str, reason: str | None = None
) -> Request:
    """Record that someone reads these conversations, or all of them if none is named."""
    found = (log.store.reader.stream(id) for id in ids)
    streams = tuple(stream.stream for stream in found if stream is not None)
    now, event = log.clock(), AccessRecorded(way, streams, reason, actor=actor)
    return Request(ACCESS, lambda state, past: (event,), now, now)


def accesses(log: Turnlog, id: str | None = None) -> Iterator[dict[str, Any]]:
    """Who read what, oldest first; id: one conversation, including readings of the whole log."""
    stream = None if id is None else log.store.reader.stream(id)
    for recorded in log.history(ACCESS).recorded():
        read = recorded.event
        if not isinstance(read, AccessRecorded):
            continue
        if id is None or not read.streams or (stream and stream.stream in read.streams):
            yield _line(log, recorded, read)


def _line(log: Turnlog, recorded: RecordedEvent, read: AccessRecorded) -> dict[str, Any]:
    return {
        "time": recorded.recorded,
        "actor": recorded.actor,
        "way": read.way,
        "conversations": [_name(log, number) for number in read.streams],
        "reason": read.reason,
    }


def _name(log: Turnlog, number: int) -> str:
    stream = log.store.reader.stream_of(number)
    return erased(number) if stream is None else stream.conversation
