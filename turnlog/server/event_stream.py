"""Server-sent events: each recorded message of a conversation exactly once, in order.

A stream first reads the past from the log in pages, at the reader's pace, then follows the feed. A
reader that falls too far behind is disconnected and returns with its `Last-Event-ID`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import islice

import msgspec
from litestar.response import Stream

from turnlog import AsyncTurnlog
from turnlog.domain.recorded import RecordedEvent
from turnlog.engine.log import Turnlog
from turnlog.errors import UnknownConversation
from turnlog.server.feed import Feed
from turnlog.server.notes import Note, Typing
from turnlog.server.settings import ClientLimits

HEARTBEAT_SECONDS = 15.0
"""Seconds after which a comment shows that the connection is alive."""

MEDIA_TYPE = "text/event-stream"

ALIVE = b": alive\n\n"

EVENTS_AT_ONCE = 250
"""Events of the past that are read in one page."""

HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""The second header keeps nginx from buffering."""

Render = Callable[[Sequence[RecordedEvent]], Awaitable[bytes]]


def message(data: bytes, *, event: str | None = None, id: int | None = None) -> bytes:
    """One server-sent event. data has no line breaks; JSON has none."""
    name = b"" if event is None else b"event: %s\n" % event.encode()
    number = b"" if id is None else b"id: %d\n" % id
    return b"%s%sdata: %s\n\n" % (name, number, data)


def response(content: AsyncIterator[bytes]) -> Stream:
    """The stream as a response."""
    return Stream(content, media_type=MEDIA_TYPE, headers=HEADERS)


class Outbox:
    """What waits until its reader takes it. It closes if too much waits."""

    def __init__(self, limits: ClientLimits) -> None:
        self._limits = limits
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._changed = asyncio.Event()
        self.closed = False

    def put(self, content: bytes) -> None:
        """Queues a piece, or closes the stream if its reader is too far behind."""
        behind = self._bytes > self._limits.behind_bytes
        if behind or len(self._waiting) >= self._limits.behind:
            self.close()
        if not self.closed:
            self._waiting.append(content)
            self._bytes += len(content)
            self._changed.set()

    def close(self) -> None:
        """Drops what waits and ends the stream."""
        self.closed = True
        self._waiting.clear()
        self._changed.set()

    async def take(self) -> bytes:
        """Everything that waits, or a comment if nothing came for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._changed.wait()
        taken = b"".join(self._waiting) or ALIVE
        self._waiting.clear()
        self._bytes = 0
        self._changed.clear()
        return taken


class EventStreams:
    """The open streams of one server."""

    def __init__(self, log: AsyncTurnlog, feed: Feed, limits: ClientLimits) -> None:
        self._log = log
        self._feed = feed
        self._limits = limits
        self._open: set[Outbox] = set()

    def end(self) -> None:
        """Closes every stream, so that a stopping server need not wait for its readers."""
        for outbox in self._open:
            outbox.close()

    async def _past(
        self, conversation: str, after: int
    ) -> AsyncIterator[tuple[int, Sequence[RecordedEvent]]]:
        """The events after that number in pages, each with the number of its last event."""
        events = await self._log.read(partial(_recorded, conversation, after))
        while page := await self._log.read(lambda _: list(islice(events, EVENTS_AT_ONCE))):
            yield page[-1].number, page

    async def past(self, conversation: str, after: int, render: Render) -> AsyncIterator[bytes]:
        """The events that exist after an event, and nothing later."""
        yield ALIVE
        async for _, events in self._past(conversation, after):
            yield await render(events)

    async def follow(
        self, conversation: str, after: int, render: Render, *, notes: bool = False
    ) -> AsyncIterator[bytes]:
        """The past after an event, then everything that is recorded later.

        notes: include the events `typing`, when the bot begins and ends to work on an answer, and
        `chunk`, a piece of an unfinished message.
        """
        yield ALIVE
        async for last, events in self._past(conversation, after):
            after = last
            yield await render(events)
        async with self._following(conversation, after, render, notes) as outbox:
            while not outbox.closed:
                content = await outbox.take()
                if not outbox.closed:
                    yield content

    @asynccontextmanager
    async def _following(
        self, conversation: str, after: int, render: Render, notes: bool
    ) -> AsyncIterator[Outbox]:
        outbox = Outbox(self._limits)

        async def send(events: Sequence[RecordedEvent]) -> None:
            outbox.put(await render(events))

        async def tell(note: Note) -> None:
            outbox.put(_noted(note))

        follower = await self._feed.join(conversation, after, send, tell if notes else None)
        self._open.add(outbox)
        try:
            yield outbox
        finally:
            self._open.discard(outbox)
            self._feed.leave(follower)


def _noted(note: Note) -> bytes:
    if isinstance(note, Typing):
        return message(b"true" if note.at_work else b"false", event="typing")
    return message(msgspec.json.encode(note), event="chunk")


def _recorded(conversation: str, after: int, log: Turnlog) -> Iterator[RecordedEvent]:
    try:
        return log.conversation(conversation).recorded(after)
    except UnknownConversation:
        return iter(())
