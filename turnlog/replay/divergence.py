"""Where a bot's answer differs from the recorded one, and how (ADR 21)."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

Kind = Literal[
    "intent", "entity", "slot", "action", "text", "tool_call", "tool_arguments",
    "missing", "extra", "order", "error", "timeout",
]  # fmt: skip


class Divergence(msgspec.Struct, frozen=True):
    """A turn that the bot answers differently.

    event: the number of the recorded event that differs, or of the user's message if there is none.
    message: what the user said. path: the place in the event (`text`, `arguments.time`), empty for
    the whole event. expected and actual: events in plain form, None for none; for `order`, lists.
    group: the key of its group. slots: those before the answer. link: the moment in the inspector,
    as a path.
    """

    conversation: str
    turn: int
    event: int
    message: str | None
    kind: Kind
    path: str = ""
    expected: Any = None
    actual: Any = None
    group: str = ""
    slots: dict[str, Any] = {}
    link: str = ""


def link(conversation: str, event: int) -> str:
    """The path and fragment of a moment in the inspector."""
    return f"/inspect#{urlencode({'conversation': conversation, 'event': event})}"
