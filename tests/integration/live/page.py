"""A client of the chat page's channel: plain HTTP and server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

WORK = ("reasoning", "tool_called", "tool_returned", "measured")
"""Types of messages with the work behind an answer."""

StreamEvent = tuple[str, int | None, Any]
"""Name, id and data of a server-sent event."""


class ChatPage:
    """A new session, or the one of a token."""

    def __init__(self, http: httpx.AsyncClient, begun: dict[str, Any]) -> None:
        self.http = http
        self.id: str = begun["session_id"]
        self.token: str = begun["token"]
        self.begun = begun

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def say(self, text: str, **more: Any) -> httpx.Response:
        body = {"message": text, **more}
        return await self.http.post("/chat/messages", json=body, headers=self.headers)

    async def past(self, **params: Any) -> Any:
        answer = await self.http.get("/chat/messages", params=params, headers=self.headers)
        return answer.raise_for_status().json()

    async def stream(self, after: int = 0, **params: Any) -> AsyncIterator[StreamEvent]:
        headers = {**self.headers, "Last-Event-ID": str(after)}
        request = self.http.stream("GET", "/chat/stream", params=params, headers=headers)
        async with request as answer:
            answer.raise_for_status()
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif "data" in event:
                    id = int(event["id"]) if "id" in event else None
                    yield event.get("event", "message"), id, json.loads(event["data"])
                    event = {}

    async def heard(self, count: int, after: int = 0) -> list[dict[str, Any]]:
        """The first `count` messages after an event, from the stream."""
        found: list[dict[str, Any]] = []
        async for name, _, data in self.stream(after):
            said = data if name == "message" else []
            found += [message for message in said if message["type"] not in WORK]
            if len(found) >= count:
                break
        return found


@asynccontextmanager
async def opened(url: str, **asked: Any) -> AsyncIterator[ChatPage]:
    """asked: the body of the session request, such as a token."""
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        begun = (await http.post("/chat/session", json=asked)).raise_for_status().json()
        yield ChatPage(http, begun)
