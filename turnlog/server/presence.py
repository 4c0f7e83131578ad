"""Who has a conversation open, and learns that the bot is at work on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

Tell = Callable[[bool], Awaitable[None]]
"""Takes whether the bot is at work."""


class Presence:
    """The open pages and sockets of each conversation."""

    def __init__(self) -> None:
        self._open: dict[str, set[Tell]] = {}

    def enter(self, conversation: str, tell: Tell) -> None:
        self._open.setdefault(conversation, set()).add(tell)

    def leave(self, conversation: str, tell: Tell) -> None:
        present = self._open.get(conversation, set())
        present.discard(tell)
        if not present:
            self._open.pop(conversation, None)

    async def tell(self, conversation: str, thinking: bool) -> None:
        for tell in list(self._open.get(conversation, ())):
            await tell(thinking)
