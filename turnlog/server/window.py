"""A window on a conversation: some of its events, and the slots before the first of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from turnlog.domain.conversation import Conversation
from turnlog.domain.fold import Fold
from turnlog.domain.recorded import TracedEvent, trace
from turnlog.domain.state import State
from turnlog.server.timeline import item, shortened

EVENTS = 48
"""Events of a window by default."""

MOST = 200
"""Events of the largest window."""


def window(conversation: Conversation, event: int, before: int, after: int) -> dict[str, Any]:
    """The existing events with numbers above `event - before`, up to `event + after`.

    conversation: as it is now. `{"conversation", "event", "first", "slots", "items", …}` and the
    conversation's length; first: the number of the first event; slots: those before it. Reads a
    snapshot and the rows of the window, for a conversation of any length.
    """
    last = conversation.state.event
    event = max(0, min(event, last))
    first, end = max(1, event - before + 1), min(last, event + after)
    lengths: dict[str, int] = {}
    return {
        "conversation": conversation.id,
        "event": event,
        "first": first,
        "slots": shortened(conversation.at(first - 1).slots, lengths),
        "items": [item(each) for each in between(conversation, first, end)],
        **({"cut": lengths} if lengths else {}),
        **standing(conversation.state),
    }


def standing(state: State) -> dict[str, Any]:
    """The length of a conversation, and of a fork the part that comes from its origin."""
    line = state.lineage
    size: dict[str, Any] = {
        "last": state.event,
        "turns": state.turn,
        "started": state.started,
        "ended": state.last,
        "channel": state.channel,
        "branch": line.branch,
    }
    if line.origin:
        size["origin"] = {"event": line.shared, "turn": line.turns, "trial": line.trial}
    return size


def between(conversation: Conversation, first: int, last: int) -> Iterator[TracedEvent]:
    """The events of these numbers, both included, each with its effect."""
    if last < first:
        return iter(())
    at = conversation if last == conversation.state.event else conversation.at(last)
    recorded = [*islice(at.newest_first(), last - first + 1)][::-1]
    folded = Fold(
        lambda: [each.event for each in recorded],
        conversation.at(first - 1).state.copy(),
        lambda number: conversation.at(number).state.context,
    )
    return trace(recorded, folded)
