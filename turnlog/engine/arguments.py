"""Arguments of the log's calls, checked before they are used."""

from __future__ import annotations

from typing import Any

from turnlog.domain.arguments import check_number, check_seconds
from turnlog.domain.streams import check_id, is_conversation
from turnlog.domain.values import is_text
from turnlog.errors import InvalidEvent, UnknownConversation


def is_id(id: Any) -> bool:
    """Whether a conversation can have this id."""
    return is_text(id) and is_conversation(id)


def check_known(id: Any) -> None:
    """Raise UnknownConversation for a value that cannot be an id."""
    if not is_text(id):
        raise UnknownConversation(id)


def check_wait(id: Any, after: Any, timeout: Any) -> None:
    """Raise InvalidEvent or OutOfRange for arguments with which a wait could never end."""
    check_id(id)
    check_number(id, "event", after)
    check_seconds(id, "timeout", timeout)


def check_command(id: str, asked: Any) -> None:
    """Raise InvalidEvent for a value that asks for no events."""
    if not callable(asked) and not isinstance(asked, list | tuple):
        raise InvalidEvent(id, "events", f"{asked!r:.80} is neither a list of events nor a command")
