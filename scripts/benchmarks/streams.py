"""A bot that streams: from the yield of a chunk to the socket, against a plain WebSocket."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from statistics import median
from subprocess import PIPE, Popen
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from scripts.benchmarks.figures import Figure, interleaved
from scripts.benchmarks.live import Socket, sockets
from tests.parts import turnlog as turnlog_part
from tests.parts.server import HOST
from turnlog import Chunk

BOT = "scripts.benchmarks.streams:bot"
MODEL_SECONDS = 0.02
"""Before the first chunk: less than any model takes, more than recording the message takes."""

MOST_MILLISECONDS = 5.0


async def bot(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Yields the current time, on the clock that all processes share."""
    await asyncio.sleep(MODEL_SECONDS)
    yield Chunk(str(time.monotonic_ns()))
    yield Chunk(" and more")


def figures(*, quick: bool) -> Iterator[Figure]:
    asked, rounds = (30, 1) if quick else (150, 3)
    with turnlog_part.running(bot=BOT) as server, PlainServer() as address:
        taken = interleaved(
            {
                "chunk": lambda: asyncio.run(_chunks(server, asked)),
                "plain": lambda: asyncio.run(_echoes(address, asked)),
            },
            rounds,
        )
    name = "streams: from the yield of a first chunk to its socket, p50, against a plain WebSocket"
    chunk, plain = taken["chunk"], taken["plain"]
    held = chunk <= MOST_MILLISECONDS
    yield Figure(name, chunk, plain, "ms", chunk / plain, f"≤ {MOST_MILLISECONDS:g} ms", held)


async def _chunks(server: Any, asked: int) -> float:
    async with sockets(server, 1) as [socket]:
        await socket.emit("session_request", {"after": 0})
        socket.session = (await socket.hear("session_confirm"))["session_id"]
        return await _median(lambda: _chunk(socket), asked)


async def _chunk(socket: Socket) -> float:
    await socket.emit("user_uttered", {"message": "hello", "session_id": socket.session})
    heard = await socket.hear("bot_chunk")
    taken = _since(heard["text"])
    await socket.hear("bot_uttered")
    return taken


async def _median(once: Callable[[], Awaitable[float]], asked: int) -> float:
    """Milliseconds; pauses between the messages, because a conversation has a rate limit."""
    taken = []
    for _ in range(asked):
        taken.append(await once())
        await asyncio.sleep(0.1)
    return median(taken)


def _since(moment: Any) -> float:
    return (time.monotonic_ns() - int(moment)) / 1e6


# --- the plain WebSocket, in a separate process ---------------------------------------------------


class PlainServer:
    """A server that answers with the current time; its address."""

    def __enter__(self) -> str:
        command = [sys.executable, "-m", "scripts.benchmarks.streams"]
        self._process = Popen(command, stdout=PIPE, stdin=PIPE, text=True)
        assert self._process.stdout is not None
        return f"ws://{HOST}:{self._process.stdout.readline().strip()}"

    def __exit__(self, *exception: object) -> None:
        self._process.communicate("")


async def _echoes(address: str, asked: int) -> float:
    async with connect(address, compression=None) as wire:

        async def echo() -> float:
            await wire.send("hello")
            return _since(await wire.recv())

        return await _median(echo, asked)


async def _echo(wire: ServerConnection) -> None:
    async for _ in wire:
        await asyncio.sleep(MODEL_SECONDS)
        await wire.send(str(time.monotonic_ns()))


async def _serve() -> None:
    async with serve(_echo, HOST, 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
