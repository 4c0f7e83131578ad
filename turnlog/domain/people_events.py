"""Who talks, and what becomes of a conversation as a whole."""

from __future__ import annotations

from typing import Any

from turnlog.domain.event import Event


class UserIdentified(Event, tag=80, frozen=True, array_like=True, gc=False):
    user: str
    traits: dict[str, Any] | None = None


class IdentityMerged(Event, tag=81, frozen=True, array_like=True, gc=False):
    """This conversation's user is also known as `other`, on `channel`."""

    user: str
    other: str


class HandoverStarted(Event, tag=82, frozen=True, array_like=True, gc=False):
    to: str | None = None
    reason: str | None = None


class HandoverEnded(Event, tag=83, frozen=True, array_like=True, gc=False):
    reason: str | None = None


class ConversationTagged(Event, tag=84, frozen=True, array_like=True, gc=False):
    tags: tuple[str, ...] = ()


class ConversationUntagged(Event, tag=85, frozen=True, array_like=True, gc=False):
    tags: tuple[str, ...] = ()


class ConversationDeleted(Event, tag=86, frozen=True, array_like=True, gc=False):
    """A tombstone: hidden everywhere, while the chain still verifies and the bytes remain."""

    reason: str | None = None


class LogRebuilt(Event, tag=87, frozen=True, array_like=True, gc=False):
    """Heads and read models were made again though verifying had found faults; in the log's own
    stream. faults: `conversation`, `event` and `what` of each of the first hundred. count: of all.
    """

    faults: list[Any] = []
    count: int = 0


class EventErased(Event, tag=88, frozen=True, array_like=True, gc=False):
    """What is read in the place of an event whose content was dropped; it is never recorded.

    was: the type that the event had, which the row still says.
    """

    was: str


class TailLost(Event, tag=89, frozen=True, array_like=True, gc=False):
    """A log was opened that ended before the newest row it had had, or held others there; in the
    log's own stream. position: of that row. digest: over the newest rows, up to and with it. end:
    the position of the last one left.
    """

    position: int
    digest: str
    end: int
