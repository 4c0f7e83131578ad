"""Events about erasing people, and about keeping what must not be erased (ADR 20)."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.event import Event


class StreamEvents(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Events of one stream, by their numbers."""

    stream: int
    events: tuple[int, ...]


class UnnamedStream(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stream whose id goes, while others' events stay in it; ids: HMACs of their names."""

    stream: int
    ids: tuple[str, ...]


class ErasureRecorded(Event, tag=133, frozen=True, array_like=True, gc=False):
    """Somebody had a person, a conversation or an event erased; in the log's own stream, before
    anything goes.

    of: person, conversation or event. vacuum: whether no byte shall be left in free space: no, yes
    or full. ids: of each id that goes, its HMAC with the log's secret. streams: those that go
    whole. events: what goes of others. unnamed: those of them whose id goes too. held: streams that
    a hold kept. exports: to whom what goes was exported, an export each. subjects: whose keys go,
    of a log that is sealed.
    """

    reason: str = ""
    of: str = ""
    vacuum: str = "yes"
    ids: tuple[str, ...] = ()
    streams: tuple[int, ...] = ()
    events: tuple[StreamEvents, ...] = ()
    unnamed: tuple[UnnamedStream, ...] = ()
    held: tuple[int, ...] = ()
    exports: list[Any] = []
    subjects: tuple[bytes, ...] = ()


class ErasureFinished(Event, tag=134, frozen=True, array_like=True, gc=False):
    """What was to be erased is dropped; erasure: number of the event that recorded it."""

    erasure: int


class ContentErased(Event, tag=135, frozen=True, array_like=True, gc=False):
    """What these events said was dropped, or what an earlier life did; whole: of all of them.

    erasure: number of the event in the log's own stream that says why.
    """

    erasure: int
    events: tuple[int, ...] = ()
    whole: bool = False


class HoldPlaced(Event, tag=136, frozen=True, array_like=True, gc=False):
    """Nothing of these is erased until the hold is released; in the log's own stream.

    streams: of a conversation, all its lives. ids: HMACs of the names of a person.
    """

    reason: str = ""
    streams: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()


class HoldReleased(Event, tag=137, frozen=True, array_like=True, gc=False):
    """A hold ended, on what it names in the same way."""

    reason: str = ""
    streams: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()


class LogVacuumed(Event, tag=138, frozen=True, array_like=True, gc=False):
    """Nothing is left in free space of what erasures dropped up to a number of an event."""

    erasure: int
