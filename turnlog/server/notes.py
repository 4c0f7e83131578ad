"""Notes that readers receive next to the log's events; they are recorded nowhere (ADR 16)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec


class Typing(msgspec.Struct, frozen=True):
    """Whether the bot is at work."""

    at_work: bool


class Preview(msgspec.Struct, frozen=True):
    """A piece of an unfinished message of the bot. first: the message begins with it."""

    text: str
    first: bool


Note = Typing | Preview
Tell = Callable[[Note], Awaitable[None]]
