"""Sends an answer in progress to pages and sockets here, and to the request that asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from turnlog.domain.events import Event
from turnlog.server.notes import Note, Preview

Tell = Callable[[str, int, Note], Awaitable[None]]
"""Takes a conversation, the number of the event that a note follows, and the note."""


class Listener(Protocol):
    """Receives the answer to one message."""

    def preview(self, preview: Preview) -> None:
        """Receives a piece of an unfinished message."""

    def said(self, events: Sequence[Event]) -> None:
        """Receives durable events."""


class AnswerAudience:
    """The audience of one answer. events: its durable events so far."""

    def __init__(self, conversation: str, tell: Tell, listener: Listener | None) -> None:
        self._conversation = conversation
        self._tell = tell
        self._listener = listener
        self.events: list[Event] = []

    async def preview(self, text: str, first: bool, after: int) -> None:
        """Sends a piece of a message to the listener and to all readers."""
        preview = Preview(text, first)
        if self._listener is not None:
            self._listener.preview(preview)
        await self._tell(self._conversation, after, preview)

    async def kept(self, events: Sequence[Event]) -> None:
        """Passes durable events to the listener. The feed brings them to the other readers."""
        self.events += events
        if self._listener is not None:
            self._listener.said(events)
