"""Who talks, and what happens to a conversation as a whole."""

from __future__ import annotations

from typing import Any

from turnlog.domain.event import Event


class UserIdentified(Event, tag=80, frozen=True, array_like=True, gc=False):
    """The conversation's user was identified. user: an id. traits: what else is known about
    them.
    """

    user: str
    traits: dict[str, Any] | None = None


class IdentityMerged(Event, tag=81, frozen=True, array_like=True, gc=False):
    """This conversation's user is also known as `other`, on `channel`."""

    user: str
    other: str


class HandoverStarted(Event, tag=82, frozen=True, array_like=True, gc=False):
    """A person or another system takes over; to: who."""

    to: str | None = None
    reason: str | None = None


class HandoverEnded(Event, tag=83, frozen=True, array_like=True, gc=False):
    """The bot answers again after a hand-over."""

    reason: str | None = None


class ConversationTagged(Event, tag=84, frozen=True, array_like=True, gc=False):
    """The conversation got tags."""

    tags: tuple[str, ...] = ()


class ConversationUntagged(Event, tag=85, frozen=True, array_like=True, gc=False):
    """The conversation lost tags."""

    tags: tuple[str, ...] = ()


class ConversationDeleted(Event, tag=86, frozen=True, array_like=True, gc=False):
    """A tombstone: the conversation is hidden everywhere, while the chain verifies and the bytes
    remain.
    """

    reason: str | None = None


class LogRebuilt(Event, tag=87, frozen=True, array_like=True, gc=False):
    """Heads and read models were rebuilt despite faults that `verify` found; in the log's own
    stream.

    faults: `conversation`, `event` and `what` of each of the first hundred. count: of all.
    """

    faults: list[Any] = []
    count: int = 0


class EventErased(Event, tag=88, frozen=True, array_like=True, gc=False):
    """Replaces an event whose content was dropped, when it is read; it is never recorded.

    was: the event's type, which the row still names.
    """

    was: str


class TailLost(Event, tag=89, frozen=True, array_like=True, gc=False):
    """A log was opened that ended before its former newest row, or had other rows there; in the
    log's own stream.

    position: that row's. digest: over the newest rows, up to and including it. end: the position of
    the last remaining row.
    """

    position: int
    digest: str
    end: int
