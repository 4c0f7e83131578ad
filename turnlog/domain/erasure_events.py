"""Erasing people, and protecting what must not be erased (ADR 20)."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.event import Event


class StreamEvents(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Events of one stream, by number."""

    stream: int
    events: tuple[int, ...]


class UnnamedStream(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A stream that loses its id but keeps others' events; ids: HMACs of its names."""

    stream: int
    ids: tuple[str, ...]


class ErasureRecorded(Event, tag=133, frozen=True, array_like=True, gc=False):
    """An erasure of a person, a conversation or an event was ordered; in the log's own stream,
    before anything is erased.

    of: person, conversation or event. vacuum: whether free space must be cleared: no, yes or full.
    ids: the HMAC of each erased id, made with the log's secret. streams: those erased whole.
    events: those erased from others. unnamed: the streams of these that lose their id. held:
    streams that a hold kept. exports: the recorded exports of erased content, by recipient.
    subjects: whose keys are destroyed, in a sealed log.
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
    """The content to be erased is dropped; erasure: the number of the event that ordered it."""

    erasure: int


class ContentErased(Event, tag=135, frozen=True, array_like=True, gc=False):
    """The content of these events was dropped, or the effects of an earlier life; whole: of all
    events.

    erasure: the number of the event in the log's own stream that gives the reason.
    """

    erasure: int
    events: tuple[int, ...] = ()
    whole: bool = False


class HoldPlaced(Event, tag=136, frozen=True, array_like=True, gc=False):
    """Nothing of these is erased until the hold is released; in the log's own stream.

    streams: a conversation's, all its lives. ids: HMACs of a person's names.
    """

    reason: str = ""
    streams: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()


class HoldReleased(Event, tag=137, frozen=True, array_like=True, gc=False):
    """A hold on the named streams or ids ended."""

    reason: str = ""
    streams: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()


class LogVacuumed(Event, tag=138, frozen=True, array_like=True, gc=False):
    """Free space no longer contains anything that erasures dropped, up to the event with this
    number.
    """

    erasure: int
