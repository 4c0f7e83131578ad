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


LONGEST = 1000
"""Bytes an id or a key may have: each stands in indexes, which PostgreSQL limits."""


KEPT_TOGETHER = f"{MARK}with "
"""Begins the keys of what came with messages that were known."""


def is_of_one_life(key: str) -> bool:
    """Whether a key is one of the log's own that counts with the life it was given in."""
    return key.startswith(MARK) and not key.startswith(KEPT_TOGETHER)


def check_id(conversation: str) -> None:
    """Raise InvalidEvent for an id that no conversation can have."""
    if conversation == "":
        raise InvalidEvent(conversation, "conversation", "an id has at least one character")
    _check_name(conversation, "conversation", conversation)
    if not is_conversation(conversation):
        why = "ids that begin with U+001F are those of the log's own streams"
        raise InvalidEvent(conversation, "conversation", why)


def check_key(conversation: str, key: str) -> None:
    """Raise InvalidEvent for an idempotency key that cannot be kept."""
    _check_name(conversation, "key", key)


def check_message_id(conversation: str, id: str) -> None:
    """Raise InvalidEvent for the id of a user's message that cannot be looked up."""
    _check_name(conversation, "UserUttered.message_id", id)


def check_branch(conversation: str, name: str) -> None:
    """Raise InvalidEvent for what no branch can be called: its name is in every state."""
    if name == "":
        raise InvalidEvent(conversation, "HistoryContinued.branch", "has no characters")
    _check_name(conversation, "HistoryContinued.branch", name)


def _check_name(conversation: str, field: str, name: str) -> None:
    if type(name) is str and len(name) <= LONGEST and name.isascii():
        return
    if not isinstance(name, str):
        raise InvalidEvent(str(conversation), field, f"{name!r:.80} is not a text")
    if why := unholdable(name):
        raise InvalidEvent(ascii(conversation), field, why)
    if (size := len(name.encode())) > LONGEST:
        why = f"{name[:40]!r}… has {size:,} bytes, more than the {LONGEST:,} it may have"
        raise InvalidEvent(conversation[:100], field, why)


GLOBALS = stream("globals")
"""The values that all sessions share."""

ACCESS = stream("access")
"""Who read what, where the log keeps that."""

UPKEEP = stream("upkeep")
"""What was done to the log itself."""
