"""How a conversation is set up, and its sessions."""

from __future__ import annotations

from turnlog.domain.event import Event
from turnlog.domain.slots import Slot


class SlotsDeclared(Event, tag=1, frozen=True, array_like=True, gc=False):
    """The conversation's slots got a type and an initial value.

    closed: a slot that is not declared cannot be set; its event is kept without effect.
    """

    slots: tuple[Slot, ...]
    closed: bool = False


class SessionConfigured(Event, tag=2, frozen=True, array_like=True, gc=False):
    """expiry: seconds without a message after which the session is over; None for never."""

    expiry: float | None = None
    carry_over: bool = True


class SessionStarted(Event, tag=3, frozen=True, array_like=True, gc=False):
    """A new stretch of the conversation: the context begins anew, with the slots as they were or
    at their initial values, as the session settings say."""

    reason: str | None = None


class SessionExpired(Event, tag=4, frozen=True, array_like=True, gc=False):
    """Nobody wrote for as long as the settings allow."""


class SessionEnded(Event, tag=5, frozen=True, array_like=True, gc=False):
    reason: str | None = None
