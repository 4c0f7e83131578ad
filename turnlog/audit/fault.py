"""A fault: what is wrong, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """event: number of the event where it shows, None where it is none of one event."""

    conversation: str | None
    event: int | None
    what: str


Tell = Callable[[Fault], None]


def named(conversation: Any) -> str | None:
    """A conversation's name for a report; what somebody made of it may be no text."""
    return (
        conversation
        if conversation is None or isinstance(conversation, str)
        else repr(conversation)
    )
