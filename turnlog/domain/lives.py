"""How a deleted conversation begins again under the same id."""

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
"""Actions that Rasa runs and saves before it receives a sender's first message."""


def can_begin(event: e.Event) -> bool:
    """Whether an event can begin a new life; a late answer or result cannot."""
    if isinstance(event, e.ActionExecuted):
        return event.name in _BEFORE
    return isinstance(event, _BEGINNINGS)
