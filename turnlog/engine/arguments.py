"""What is asked of a log, checked before anything is looked up with it."""

from __future__ import annotations

from typing import Any

from turnlog.domain.arguments import check_number, check_seconds
from turnlog.domain.streams import check_id, is_conversation
from turnlog.domain.values import is_text
from turnlog.errors import InvalidEvent, UnknownConversation


def is_id(id: Any) -> bool:
    """Whether a conversation can be called so."""
    return is_text(id) and is_conversation(id)


def check_known(id: Any) -> None:
    """Raise UnknownConversation for what is not a text that could be looked up."""
    if not is_text(id):
        raise UnknownConversation(id)


def check_wait(id: Any, after: Any, timeout: Any) -> None:
    """Raise InvalidEvent or OutOfRange for what would be waited for in vain."""
    check_id(id)
    check_number(id, "event", after)
    check_seconds(id, "timeout", timeout)


def check_command(id: str, asked: Any) -> None:
    """Raise InvalidEvent for what asks for no events."""
    if not callable(asked) and not isinstance(asked, list | tuple):
        raise InvalidEvent(id, "events", f"{asked!r:.80} is neither a list of events nor a command")
