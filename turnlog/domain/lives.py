"""How a conversation that was deleted begins anew, under the same id."""

from __future__ import annotations

from turnlog.domain import events as e
from turnlog.domain.state import LISTEN, RESTART

_BEGINNINGS = (
    e.UserUttered
    | e.SessionStarted
    | e.SessionConfigured
    | e.SlotsDeclared
    | e.ThreadStarted
    | e.UserIdentified
    | e.ValueSet
    | e.ValueAppended
)
_BEFORE = (LISTEN, RESTART)
"""Actions that Rasa runs, and saves, before it hears a sender's first message."""


def can_begin(event: e.Event) -> bool:
    """Whether a new life can begin with an event: a late answer or result does not do."""
    if isinstance(event, e.ActionExecuted):
        return event.name in _BEFORE
    return isinstance(event, _BEGINNINGS)
