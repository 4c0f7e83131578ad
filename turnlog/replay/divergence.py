"""Where a bot's answer differs from the recorded one, and how."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Kind = Literal[
    "intent", "entity", "slot", "action", "text", "tool_call", "tool_arguments",
    "missing", "extra", "order", "error", "timeout",
]  # fmt: skip


class Divergence(msgspec.Struct, frozen=True):
    """The first of a conversation. expected and actual: events in plain form, None for none.

    For `order` both are lists.
    """

    conversation: str
    turn: int
    kind: Kind
    expected: Any = None
    actual: Any = None
