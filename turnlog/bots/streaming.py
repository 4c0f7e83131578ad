"""Answers that a bot yields in pieces, and their receivers."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from turnlog.bots.chunk import Chunk
from turnlog.bots.threads import in_thread
from turnlog.domain.events import BotUttered, Event
from turnlog.domain.values import unholdable
from turnlog.encoding.binary import MAX_EVENT_BYTES
from turnlog.errors import BotError

MAX_MESSAGE_BYTES = MAX_EVENT_BYTES - 1_000
"""The largest text of chunks, in bytes; the rest of the limit is for the event's other fields."""


class Hearer(Protocol):
    """Receives the pieces of an answer, in order, each before the bot continues."""

    async def begin(self) -> None:
        """Notes that the bot yields its answer."""

    async def chunk(self, text: str) -> None:
        """Receives a piece of a message."""

    async def take(self, event: Event) -> None:
        """Receives an event: the whole message, if its text is that of the chunks before it, or
        what follows that message.
        """

    async def end_message(self) -> None:
        """Notes that the message of the chunks so far is complete."""


class Draft:
    """The message that chunks form."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._bytes = 0

    def add(self, text: str) -> bool:
        """Adds a text, and says whether it is the first. Raises BotError if the log cannot store
        it.
        """
        if why := unholdable(text):
            raise BotError(f"a chunk {why}: {text!r:.80}")
        size = self._bytes + len(text.encode())
        if size > MAX_MESSAGE_BYTES:
            raise BotError(f"the chunks form a message of more than {MAX_MESSAGE_BYTES:,} bytes")
        self._bytes = size
        self._texts.append(text)
        return len(self._texts) == 1

    def ended(self, event: Event | None = None) -> BotUttered | None:
        """The whole message, if there is one; None if the following event is that message."""
        text = "".join(self._texts)
        self._texts.clear()
        self._bytes = 0
        if not text or (isinstance(event, BotUttered) and event.text == text):
            return None
        return BotUttered(text)


class Collected:
    """A hearer that collects the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.draft = Draft()

    async def begin(self) -> None:
        """See `Hearer.begin`."""

    async def chunk(self, text: str) -> None:
        """See `Hearer.chunk`."""
        self.draft.add(text)

    async def take(self, event: Event) -> None:
        """See `Hearer.take`."""
        await self.end_message(event)
        self.events.append(event)

    async def end_message(self, event: Event | None = None) -> None:
        """See `Hearer.end_message`."""
        if (whole := self.draft.ended(event)) is not None:
            self.events.append(whole)


async def drive(
    answer: AsyncIterable[Any], hearer: Hearer, as_event: Callable[[object], Event]
) -> None:
    """Passes each piece to the hearer, and closes the iterator in every case."""
    pieces = aiter(answer)
    await hearer.begin()
    try:
        async for piece in pieces:
            if not isinstance(piece, Chunk):
                if isinstance(piece, str):
                    await hearer.end_message()
                await hearer.take(as_event(piece))
            elif not isinstance(piece.text, str):
                raise BotError(f"a chunk's text must be a str, not {piece.text!r:.80}")
            elif piece.text:
                await hearer.chunk(piece.text)
    finally:
        await _closed(pieces)


async def _closed(pieces: AsyncIterator[Any]) -> None:
    close = getattr(pieces, "aclose", None)
    if close is not None:
        with suppress(Exception):  # what a bot does while it is closed is not part of its answer
            await close()


_END = object()


async def threaded(pieces: Iterator[Any]) -> AsyncIterator[Any]:
    """The items of a plain iterator, each made in a thread."""
    try:
        while True:
            piece, error = await in_thread(lambda: next(pieces, _END))
            if error is not None:
                raise error
            if piece is _END:
                return
            yield piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            with suppress(Exception):  # a running one cannot be closed
                close()
