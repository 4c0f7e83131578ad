"""Who looked at what, where a log keeps that."""

from __future__ import annotations

from turnlog.domain.event import Event


class AccessRecordingSet(Event, tag=140, frozen=True, array_like=True, gc=False):
    """From here on the log keeps who reads it, or no longer does; in the log's own stream."""

    on: bool
    reason: str | None = None


class AccessRecorded(Event, tag=141, frozen=True, array_like=True, gc=False):
    """Somebody read; in a stream of its own. way: a command, or method and path of a route.

    streams: the numbers of the streams that were read, which say no id; none for the whole log.
    """

    way: str
    streams: tuple[int, ...] = ()
    reason: str | None = None
