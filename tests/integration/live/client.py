"""A Socket.IO client that keeps everything it receives, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import socketio

Heard = tuple[str, Any]


class Client:
    def __init__(self) -> None:
        self.sio = socketio.AsyncClient(reconnection=False)
        self.heard: list[Heard] = []
        self._more = asyncio.Event()
        self.sio.on("*", self._hear, namespace="*")

    async def _hear(self, name: str, namespace: str, data: Any = None) -> None:
        self.heard.append((name, data))
        self._more.set()

    def all(self, name: str) -> list[Any]:
        return [data for heard, data in self.heard if heard == name]

    async def until(self, count: int, name: str, *, seconds: float = 15) -> list[Any]:
        """The data of the first `count` events of a name, once they have come."""
        await self.when(lambda: len(self.all(name)) >= count, seconds=seconds)
        return self.all(name)[:count]

    async def when(self, condition: Callable[[], bool], *, seconds: float = 15) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self._more.clear()
                await self._more.wait()

    def events(self) -> list[int]:
        """The numbers of the received messages, in order of arrival."""
        return [data["event"] for name, data in self.heard if name.endswith("_uttered")]

    async def session(self, namespace: str = "/", **request: Any) -> Any:
        """What the server confirms."""
        before = len(self.all("session_confirm"))
        await self.sio.emit("session_request", request, namespace=namespace)
        return (await self.until(before + 1, "session_confirm"))[-1]

    async def say(self, text: str, **more: Any) -> Any:
        """The server's acknowledgement of a message."""
        return await self.sio.call("user_uttered", {"message": text, **more}, timeout=15)


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Client]:
    client = Client()
    await client.sio.connect(url, **{"transports": ["websocket"], **options})
    try:
        yield client
    finally:
        await client.sio.disconnect()
