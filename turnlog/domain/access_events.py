"""Who read what, if a log records it."""

from __future__ import annotations

from turnlog.domain.event import Event


class AccessRecordingSet(Event, tag=140, frozen=True, array_like=True, gc=False):
    """The log begins or stops recording who reads it; in the log's own stream."""

    on: bool
    reason: str | None = None


class AccessRecorded(Event, tag=141, frozen=True, array_like=True, gc=False):
    """Someone read from the log; in a stream for such events. way: a command, or a route's method
    and path.

    streams: the numbers of the streams that were read, which do not reveal ids; none for the whole
    log.
    """

    way: str
    streams: tuple[int, ...] = ()
    reason: str | None = None
