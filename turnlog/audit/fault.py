"""A fault: what is wrong, and where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """event: the number of the event where it shows; None if it belongs to no single event."""

    conversation: str | None
    event: int | None
    what: str


Report = Callable[[Fault], None]


def named(conversation: Any) -> str | None:
    """A conversation's id for a report. In a changed log it may be of any type."""
    return (
        conversation
        if conversation is None or isinstance(conversation, str)
        else repr(conversation)
    )
