"""What was redacted: messages whose words no view shows any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from turnlog.domain import events as e


def redacted(events: Sequence[e.Event]) -> set[int]:
    """Numbers of the events whose words a redaction hides: the message and what is about it."""
    messages = {event.message for event in events if isinstance(event, e.MessageRedacted)}
    about = {
        number
        for number, event in enumerate(events, 1)
        if getattr(event, "message", None) in messages and not isinstance(event, e.MessageRedacted)
    }
    return messages | about


_WORDS: dict[str, Any] = {
    "text": None, "data": None, "entities": (), "frames": (), "comment": None, "extra": None
}  # fmt: skip


def without_words(event: e.Event) -> e.Event:
    """The event without the fields that may say what was said."""
    given = {name: nothing for name, nothing in _WORDS.items() if name in event.__struct_fields__}
    shown: e.Event = msgspec.structs.replace(event, **given)
    return shown
