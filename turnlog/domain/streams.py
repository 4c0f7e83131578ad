"""Streams that are no conversation: the log's own ids, which no user's id can be (ADR 5).

A stream's id begins with U+001F, then its kind. Such streams stand in the chain and are verified
and backed up like any other; lists, turns and exports pass them over.
"""

from __future__ import annotations

from turnlog.domain.errors import InvalidEvent
from turnlog.domain.values import unholdable

MARK = "\x1f"


def stream(kind: str) -> str:
    """The id of the log's own stream of a kind."""
    return f"{MARK}{kind}"


def is_conversation(id: str) -> bool:
    return not id.startswith(MARK)


def check_id(conversation: str) -> None:
    """Raise InvalidEvent for an id that no conversation can have."""
    if not conversation:
        raise InvalidEvent(conversation, "conversation", "an id has at least one character")
    if why := unholdable(conversation):
        raise InvalidEvent(ascii(conversation), "conversation", why)
    if not is_conversation(conversation):
        why = "ids that begin with U+001F are those of the log's own streams"
        raise InvalidEvent(conversation, "conversation", why)


GLOBALS = stream("globals")
"""The values that all sessions share."""
