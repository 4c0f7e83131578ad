"""What readers are told beside the log, and is recorded nowhere (ADR 16)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec


class Typing(msgspec.Struct, frozen=True):
    """Whether the bot is at work."""

    at_work: bool


class Preview(msgspec.Struct, frozen=True):
    """A piece of a message of the bot that is not whole yet. first: the message begins with it."""

    text: str
    first: bool


Note = Typing | Preview
Tell = Callable[[Note], Awaitable[None]]
