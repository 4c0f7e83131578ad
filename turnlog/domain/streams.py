"""Streams that are not conversations: the log's own ids, which no user's id can equal (ADR 5).

The id of such a stream begins with U+001F, then its kind. The chain, `verify` and backups cover it
like any other; lists, turns and exports skip it.
"""

from __future__ import annotations

from turnlog.domain.errors import InvalidEvent
from turnlog.domain.values import unholdable

MARK = "\x1f"


def stream(kind: str) -> str:
    """The id of the log's own stream of a kind."""
    return f"{MARK}{kind}"


def is_conversation(id: str) -> bool:
    """Whether an id is a conversation's, not one of the log's own."""
    return not id.startswith(MARK)


LONGEST = 1000
"""Bytes that an id or a key may have: indexes contain them, and PostgreSQL limits their entries."""


KEPT_TOGETHER = f"{MARK}with "
"""The prefix of the keys of events that came with known messages."""


def is_of_one_life(key: str) -> bool:
    """Whether a key is one of the log's own that is unique within a life only."""
    return key.startswith(MARK) and not key.startswith(KEPT_TOGETHER)


def check_id(conversation: str) -> None:
    """Raise InvalidEvent for an impossible conversation id."""
    if conversation == "":
        raise InvalidEvent(
            conversation, "conversation", "is empty; an id has at least one character"
        )
    _check_name(conversation, "conversation", conversation)
    if not is_conversation(conversation):
        why = "begins with U+001F, which marks the log's own streams"
        raise InvalidEvent(conversation, "conversation", why)


def check_key(conversation: str, key: str) -> None:
    """Raise InvalidEvent for an impossible idempotency key."""
    _check_name(conversation, "key", key)


def check_message_id(conversation: str, id: str) -> None:
    """Raise InvalidEvent for a message id that cannot be indexed."""
    _check_name(conversation, "UserUttered.message_id", id)


def check_branch(conversation: str, name: str) -> None:
    """Raise InvalidEvent for an impossible branch name: every state contains it."""
    if name == "":
        raise InvalidEvent(conversation, "HistoryContinued.branch", "is empty")
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
"""Who read what, if the log records it."""

UPKEEP = stream("upkeep")
"""What was done to the log itself."""
