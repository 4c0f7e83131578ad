"""A bot behind a URL: Rasa's REST webhook, or any HTTP bot with the same protocol.

It receives {"sender", "message", "metadata"} and answers with a list of {"text", "image",
"buttons", "attachment", "custom"}, or streams them as server-sent events: `chunk` ({"text"}),
`message` (one of those, which replaces the chunks before it), and `end` as the last.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from turnlog.bots.bot import LoadedBot
from turnlog.bots.chunk import Chunk
from turnlog.bots.conversation import BotConversation
from turnlog.domain.events import BotUttered, Event, UserUttered
from turnlog.errors import BotError

MAX_ANSWER_BYTES = 1_000_000
"""The largest answer, in bytes."""

EVENTS = "text/event-stream"

Data = dict[str, Any]


def remote(url: str, *, timeout: float = 30.0) -> LoadedBot:
    """The bot behind a webhook's URL. Raises BotError if it is not a URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BotError(f"{url!r} is not the URL of a bot; it must begin with http:// or https://")
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    return LoadedBot(RemoteBot(url, timeout), name=shown, remembers=True)


class RemoteBot:
    """One webhook with persistent connections. Yields an answer that streams."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout

    @cached_property
    def client(self) -> httpx.AsyncClient:
        """The HTTP client, made on first use."""
        headers = {"Accept": f"{EVENTS}, application/json;q=0.9"}
        return httpx.AsyncClient(timeout=self._timeout, follow_redirects=False, headers=headers)

    async def aclose(self) -> None:
        """Closes the connections, which belong to one event loop. The next call opens new ones."""
        client = self.__dict__.pop("client", None)
        if client is not None:
            await client.aclose()

    async def __call__(
        self, conversation: BotConversation, message: UserUttered, /
    ) -> list[Event] | AsyncIterator[Event | Chunk]:
        request = {"sender": conversation.id, "message": message.text or ""}
        metadata = (message.extra or {}).get("metadata")
        body = request | ({"metadata": metadata} if metadata else {})
        response = await self.client.send(
            self.client.build_request("POST", self._url, json=body), stream=True
        )
        streams = response.headers.get("content-type", "").startswith(EVENTS)
        if response.status_code == 200 and streams:
            return _pieces(response)
        try:
            if response.status_code != 200:
                raise BotError(f"the bot's webhook answered with status {response.status_code}")
            return list(_messages(await _content(response)))
        finally:
            await response.aclose()


async def _content(response: httpx.Response) -> bytes:
    content = b""
    async for chunk in _bounded(response.aiter_bytes()):
        content += chunk
    return content


async def _bounded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The bytes of an answer up to the limit. Raises BotError beyond it."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise BotError(f"the bot's webhook answered with more than {MAX_ANSWER_BYTES:,} bytes")
        yield piece


def _messages(content: bytes) -> Iterator[Event]:
    answer = _json(content)
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise BotError("the bot's webhook did not answer with a list of messages")
    for item in answer:
        yield _message(item)


def _json(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise BotError("the bot's webhook did not answer with JSON") from error


def _message(item: Data) -> BotUttered:
    text = item.pop("text", None)
    item.pop("recipient_id", None)
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    return BotUttered(text if isinstance(text, str) else None, item or None)


# --- answers that stream ------------------------------------------------------------------------


async def _pieces(response: httpx.Response) -> AsyncIterator[Event | Chunk]:
    """Chunks and messages. Raises BotError if the answer lacks an end, or was broken off."""
    try:
        async for name, data in _events(response):
            if name == "end":
                if broken := data.get("broken_off"):
                    raise BotError(f"the bot's answer was broken off: {broken}")
                return
            if name == "chunk":
                yield Chunk(data.get("text") or "")
            elif name == "message":
                yield _message(data)
    finally:
        await response.aclose()
    raise BotError("the bot's answer ended before its end")


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, Data]]:
    """Name and data of each server-sent event."""
    name, lines = "message", list[bytes]()
    async for line in _lines(response):
        field, _, value = line.partition(b":")
        if not line:
            if lines:
                yield name, _object(b"\n".join(lines))
            name, lines = "message", []
        elif field == b"event":
            name = value.strip().decode(errors="replace")
        elif field == b"data":
            lines.append(value.removeprefix(b" "))


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """Lines without their end, LF or CRLF."""
    rest = b""
    async for piece in _bounded(response.aiter_bytes()):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")


def _object(content: bytes) -> Data:
    data = _json(content)
    if not isinstance(data, dict):
        raise BotError("the bot's webhook did not stream JSON objects")
    return data
