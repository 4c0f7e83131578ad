"""How far the redactions of a conversation affect what is recorded after them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from copy import copy
from typing import get_args

from turnlog.domain import events as e
from turnlog.domain.consequences import Consequences, Numbered
from turnlog.domain.message_groups import members
from turnlog.domain.traits import AboutMessage, Hiding

_HIDING = frozenset(get_args(Hiding))


class Reach:
    """Whether further events can change what is hidden before them.

    They can if they redact, if they name a hidden event or an earlier event names them, and during
    the turn of a redacted message.
    """

    def __init__(self, messages: Collection[int], known: Consequences) -> None:
        """messages: the numbers of the redacted messages."""
        hidden = [known.of(message) | members(message, known.events) for message in messages]
        self._hidden = frozenset(messages).union(*hidden)
        calls = (event for _, event in known.those(self._hidden) if isinstance(event, e.ToolCalled))
        self._calls = frozenset(call.call_id for call in calls)
        after = known.after(max(self._hidden.intersection(messages), default=0))
        self._is_open = bool(messages) and not any(
            isinstance(event, e.UserUttered) for _, event in after
        )
        self._named = max(map(_names, known.events), default=0)

    def meets(self, events: Sequence[Numbered]) -> bool:
        """Whether one of the next events can."""
        if self._is_open or not events or self._named >= events[0][0]:
            return bool(events)
        return any(type(event) in _HIDING or self._is_named_by(event) for _, event in events)

    def _is_named_by(self, event: e.Event) -> bool:
        is_result = isinstance(event, e.ToolReturned) and event.call_id in self._calls
        return is_result or not self._hidden.isdisjoint((event.cause, _message(event)))

    def followed_by(self, events: Iterable[Numbered]) -> Reach:
        """The same after events that it does not affect."""
        following = copy(self)
        following._named = max((self._named, *map(_names, events)))
        return following


def _names(numbered: Numbered) -> int:
    """The highest number that an event names as its cause."""
    _, event = numbered
    return max(event.cause or 0, _message(event))


def _message(event: e.Event) -> int:
    """The number of the message that an event is about; 0 for none."""
    return (event.message or 0) if isinstance(event, AboutMessage) else 0
