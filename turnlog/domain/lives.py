"""How a conversation that was deleted begins anew, under the same id."""

from __future__ import annotations

from turnlog.domain import events as e

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
_SESSION_START = "action_session_start"
"""What Rasa runs before it hears a sender's first message."""


def can_begin(event: e.Event) -> bool:
    """Whether a new life can begin with an event: a late answer or result is none."""
    if isinstance(event, e.ActionExecuted):
        return event.name == _SESSION_START
    return isinstance(event, _BEGINNINGS)
