"""How a conversation goes on from an earlier event, its own or another's (ADR 15)."""

from __future__ import annotations

from turnlog.domain.event import Event


class _Continued(Event, frozen=True, array_like=True, gc=False):
    event: int
    conversation: int | None = None
    branch: str | None = None
    reason: str | None = None
    trial: bool = False


class HistoryContinued(_Continued, tag=116, frozen=True, array_like=True, kw_only=True, gc=False):
    """The conversation goes on from event `event`, with the context that it had after it.

    branch: the branch that what follows is on; one that there is not yet begins here. None for
    the current one, of which what came after the event is taken back. conversation: the number of
    the stream that a fork shares its past with, up to the event. trial: the fork was made to try
    something, and counts nowhere. from_branch: the branch that the event is on, where that is
    another; recording finds it.
    """

    from_branch: str | None = None

    @property
    def to(self) -> int:
        """The event it goes back to, as other rewinds call it."""
        return self.event


class OriginDeleted(Event, tag=117, frozen=True, array_like=True, gc=False):
    """The conversation that this one was forked from was deleted: the events up to `event`, which
    the two share, are hidden.

    slots, tags, fields: what of the state stays, by name, because it does not come from them.
    Recording finds it.
    """

    event: int
    slots: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
