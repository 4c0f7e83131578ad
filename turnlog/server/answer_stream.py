"""One answer for the request that asked: its messages as they come, as lines or as events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from turnlog.domain.events import AnswerBrokenOff, Event
from turnlog.server import event_stream, wire
from turnlog.server.event_stream import ALIVE, HEARTBEAT_SECONDS
from turnlog.server.notes import Preview


class AnswerStream:
    """Collects an answer for one reader. recipient: the conversation."""

    def __init__(self, recipient: str) -> None:
        self._recipient = recipient
        self._heard: asyncio.Queue[Event | Preview | None] = asyncio.Queue()

    def preview(self, preview: Preview) -> None:
        """Queues a chunk of a message."""
        self._heard.put_nowait(preview)

    def said(self, events: Sequence[Event]) -> None:
        """Queues recorded events."""
        for event in events:
            self._heard.put_nowait(event)

    def end(self, _: Any = None) -> None:
        """Ends the stream."""
        self._heard.put_nowait(None)

    async def lines(self) -> AsyncIterator[bytes]:
        """Rasa's messages, one line of JSON each."""
        while (heard := await self._heard.get()) is not None:
            spoken = None if isinstance(heard, Preview) else wire.spoken(heard)
            for message in wire.rest_messages(self._recipient, spoken) if spoken else ():
                yield msgspec.json.encode(message) + b"\n"

    async def events(self) -> AsyncIterator[bytes]:
        """Server-sent events: `chunk`, `message` and, last, `end`."""
        broken = None
        while (heard := await self._next()) is not None:
            if isinstance(heard, AnswerBrokenOff):
                broken = heard.reason
            yield self._event(heard)
        ended = {} if broken is None else {"broken_off": broken}
        yield event_stream.message(msgspec.json.encode(ended), event="end")

    async def _next(self) -> Event | Preview | bytes | None:
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                return await self._heard.get()
        except TimeoutError:
            return ALIVE

    def _event(self, heard: Event | Preview | bytes) -> bytes:
        if isinstance(heard, bytes):
            return heard
        if isinstance(heard, Preview):
            return event_stream.message(msgspec.json.encode(heard), event="chunk")
        spoken = wire.spoken(heard)
        if spoken is None:
            return b""
        message = wire.whole_message(self._recipient, spoken)
        return event_stream.message(msgspec.json.encode(message), event="message")
