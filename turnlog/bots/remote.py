"""A bot behind a URL: Rasa's REST webhook, or any HTTP bot that speaks like one.

It gets {"sender", "message", "metadata"} and answers with a list of {"text", "image", "buttons",
"attachment", "custom"}.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from turnlog.bots.bot import LoadedBot
from turnlog.bots.conversation import BotConversation
from turnlog.domain.events import BotUttered, Event, UserUttered
from turnlog.errors import BotError

MAX_ANSWER_BYTES = 1_000_000
"""Bytes of an answer."""


def remote(url: str, *, timeout: float = 30.0) -> LoadedBot:
    """The bot behind a webhook's URL. Raises BotError for what is no URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BotError(f"{url!r} is no URL of a bot: it begins with http:// or https://")
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    return LoadedBot(RemoteBot(url, timeout), name=shown)


class RemoteBot:
    """One webhook; connections are kept open."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False)

    async def __call__(
        self, conversation: BotConversation, message: UserUttered, /
    ) -> list[Event | str]:
        request = {"sender": conversation.id, "message": message.text or ""}
        metadata = (message.extra or {}).get("metadata")
        body = request | ({"metadata": metadata} if metadata else {})
        async with self._client.stream("POST", self._url, json=body) as response:
            if response.status_code != 200:
                raise BotError(f"the bot's webhook answered with status {response.status_code}")
            return list(_messages(await _content(response)))


async def _content(response: httpx.Response) -> bytes:
    content = b""
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise BotError(f"the bot's webhook answered with more than {MAX_ANSWER_BYTES:,} bytes")
    return content


def _messages(content: bytes) -> Iterator[Event]:
    try:
        answer: Any = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise BotError("the bot's webhook answered with no JSON") from error
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise BotError("the bot's webhook answers with a list of messages")
    for item in answer:
        text = item.pop("text", None)
        item.pop("recipient_id", None)
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = str(text)
        yield BotUttered(text if isinstance(text, str) else None, item or None)
