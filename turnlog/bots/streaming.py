"""Answers that are yielded piece by piece, and who hears them."""

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
"""Of the text that chunks make up; the rest is for what else its event says."""


class Hearer(Protocol):
    """Is given the pieces of an answer, in order, each before the bot goes on."""

    async def begin(self) -> None:
        """The bot yields its answer."""

    async def chunk(self, text: str) -> None:
        """A piece of a message."""

    async def take(self, event: Event) -> None:
        """An event: the message of the chunks before it, where it has their text, or what follows
        on that message.
        """

    async def end_message(self) -> None:
        """The message of the chunks so far is whole."""


class Draft:
    """The message that chunks are making up."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._bytes = 0

    def add(self, text: str) -> bool:
        """Whether the message begins with it. Raises BotError where the log could not hold it."""
        if why := unholdable(text):
            raise BotError(f"a chunk {why}: {text!r:.80}")
        size = self._bytes + len(text.encode())
        if size > MAX_MESSAGE_BYTES:
            raise BotError(f"chunks make up a message of more than {MAX_MESSAGE_BYTES:,} bytes")
        self._bytes = size
        self._texts.append(text)
        return len(self._texts) == 1

    def ended(self, event: Event | None = None) -> BotUttered | None:
        """The whole message, if there is one; none where the event that follows is that message."""
        text = "".join(self._texts)
        self._texts.clear()
        self._bytes = 0
        if not text or (isinstance(event, BotUttered) and event.text == text):
            return None
        return BotUttered(text)


class Collected:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.draft = Draft()

    async def begin(self) -> None:
        pass

    async def chunk(self, text: str) -> None:
        self.draft.add(text)

    async def take(self, event: Event) -> None:
        await self.end_message(event)
        self.events.append(event)

    async def end_message(self, event: Event | None = None) -> None:
        if (whole := self.draft.ended(event)) is not None:
            self.events.append(whole)


async def drive(
    answer: AsyncIterable[Any], hearer: Hearer, as_event: Callable[[object], Event]
) -> None:
    """Give the hearer every piece; the iterator is closed however this ends."""
    pieces = aiter(answer)
    await hearer.begin()
    try:
        async for piece in pieces:
            if not isinstance(piece, Chunk):
                if isinstance(piece, str):
                    await hearer.end_message()
                await hearer.take(as_event(piece))
            elif not isinstance(piece.text, str):
                raise BotError(f"a chunk holds a text, not {piece.text!r:.80}")
            elif piece.text:
                await hearer.chunk(piece.text)
    finally:
        await _closed(pieces)


async def _closed(pieces: AsyncIterator[Any]) -> None:
    close = getattr(pieces, "aclose", None)
    if close is not None:
        with suppress(Exception):  # what a bot does as it ends is not a part of its answer
            await close()


_END = object()


async def threaded(pieces: Iterator[Any]) -> AsyncIterator[Any]:
    """What a plain iterator gives, each piece made in a thread."""
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
            with suppress(Exception):  # one that still runs cannot be closed
                close()
