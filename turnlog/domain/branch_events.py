"""How a conversation continues from an earlier event, its own or another's (ADR 15)."""

from __future__ import annotations

from turnlog.domain.event import Event


class _Continued(Event, frozen=True, array_like=True, gc=False):
    event: int
    conversation: int | None = None
    branch: str | None = None
    reason: str | None = None
    trial: bool = False


class HistoryContinued(_Continued, tag=116, frozen=True, array_like=True, kw_only=True, gc=False):
    """The conversation continues from event `event`, with the context after it.

    branch: the branch of what follows; an unknown one begins here. None for the current one, whose
    later events are retracted. conversation: the number of the stream with which a fork shares its
    past, up to the event. trial: the fork is an experiment and is not counted. from_branch: the
    branch of the event, if it is another; recording finds it.
    """

    from_branch: str | None = None

    @property
    def to(self) -> int:
        """The event it returns to, under the name that other rewinds use."""
        return self.event


class OriginDeleted(Event, tag=117, frozen=True, array_like=True, gc=False):
    """The conversation that this one was forked from was deleted: the shared events up to `event`
    are hidden.

    slots, tags, fields: the names of what stays of the state because it does not come from them.
    Recording finds them.
    """

    event: int
    slots: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
