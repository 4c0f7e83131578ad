"""The setup of a conversation, and its sessions."""

from __future__ import annotations

from turnlog.domain.event import Event
from turnlog.domain.slots import Slot


class SlotsDeclared(Event, tag=1, frozen=True, array_like=True, gc=False):
    """The conversation's slots got types and initial values.

    closed: an undeclared slot cannot be set; its event is kept without effect.
    """

    slots: tuple[Slot, ...]
    closed: bool = False


class SessionConfigured(Event, tag=2, frozen=True, array_like=True, gc=False):
    """Sessions got an expiry and a rule for slots. expiry: seconds without a message after which a
    session ends; None for never.
    """

    expiry: float | None = None
    carry_over: bool = True


class SessionStarted(Event, tag=3, frozen=True, array_like=True, gc=False):
    """A new session began: the context begins again, with the slots as they were or at their
    initial values, depending on the session settings.
    """

    reason: str | None = None


class SessionExpired(Event, tag=4, frozen=True, array_like=True, gc=False):
    """A session ended because no one wrote within its expiry."""


class SessionEnded(Event, tag=5, frozen=True, array_like=True, gc=False):
    """A session ended for a reason."""

    reason: str | None = None
