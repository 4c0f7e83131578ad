"""Who sees an answer while it comes: the pages and sockets here, and the request that asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from turnlog.domain.events import Event
from turnlog.server.notes import Note, Preview

Tell = Callable[[str, int, Note], Awaitable[None]]
"""Takes a conversation, the number of the event after which a note is due, and the note."""


class Listener(Protocol):
    """Hears the answer to one message."""

    def preview(self, preview: Preview) -> None:
        """A piece of a message that is not whole yet."""

    def said(self, events: Sequence[Event]) -> None:
        """What is durable."""


class AnswerAudience:
    """Of one answer. events: what it was told that is durable."""

    def __init__(self, conversation: str, tell: Tell, listener: Listener | None) -> None:
        self._conversation = conversation
        self._tell = tell
        self._listener = listener
        self.events: list[Event] = []

    async def preview(self, text: str, first: bool, after: int) -> None:
        preview = Preview(text, first)
        if self._listener is not None:
            self._listener.preview(preview)
        await self._tell(self._conversation, after, preview)

    async def kept(self, events: Sequence[Event]) -> None:
        self.events += events
        if self._listener is not None:
            self._listener.said(events)
