"""The live server under 500 sockets: durable against in memory, healthy next to slow, memory."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect

from scripts.benchmarks.figures import Figure, at_least, at_most, below, interleaved
from tests.parts import turnlog as turnlog_part
from tests.parts.server import Server

SOCKETS = 500
ECHO = "scripts.benchmarks.live:echo"
LONG = "x" * 4_000
AT_ONCE = 25
PAUSE = 0.12  # seconds between the messages of one socket: it may say ten a second

Result = TypeVar("Result")


async def echo(conversation: Any, message: Any) -> list[Any]:
    """The bot: repeats the message."""
    return [message.text]


def figures(*, quick: bool) -> Iterator[Figure]:
    seconds, rounds, asked = (3.0, 1, 100) if quick else (8.0, 3, 500)
    yield from _throughput(seconds, rounds)
    yield from _beside_slow_ones(asked)
    yield _memory()


# --- a client as light as can be -----------------------------------------------------------------


class Socket:
    """A Socket.IO client over a bare websocket, to keep the cost of measuring low."""

    def __init__(self, wire: ClientConnection) -> None:
        self._wire = wire
        self.session = ""

    async def begin(self) -> None:
        await self._wire.send("40")
        await self.emit("session_request", {})
        self.session = await self.hear("session_confirm")

    def cut(self) -> None:
        self._wire.transport.abort()

    async def emit(self, name: str, data: Any, ack: str = "") -> None:
        await self._wire.send(f"42{ack}{json.dumps([name, data])}")

    async def hear(self, name: str) -> Any:
        """The data of the next event with that name."""
        while True:
            packet = str(await self._wire.recv())
            if packet == "2":
                await self._wire.send("3")
            elif packet.startswith("42"):
                heard, *data = json.loads(packet[2:])
                if heard == name:
                    return data[0]

    async def ask(self, text: str) -> None:
        """Say something and wait for the bot's answer."""
        await self.emit("user_uttered", {"message": text, "session_id": self.session})
        await self.hear("bot_uttered")


@asynccontextmanager
async def sockets(server: Server, count: int) -> AsyncIterator[list[Socket]]:
    """So many connected sockets, each with its own session; they end without a goodbye."""
    address = server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    opened: list[Socket] = []
    try:
        for first in range(0, count, AT_ONCE):
            size = min(AT_ONCE, count - first)
            opened += await asyncio.gather(*(_connected(address) for _ in range(size)))
        yield opened
    finally:
        for socket in opened:
            socket.cut()


async def _connected(address: str) -> Socket:
    socket = Socket(await connect(address, compression=None, ping_interval=None))
    await socket.begin()
    return socket


# --- what is measured ----------------------------------------------------------------------------


def _throughput(seconds: float, rounds: int) -> Iterator[Figure]:
    """Messages a second, each durable and answered, from sockets that wait for the answer."""

    async def talk(server: Server) -> float:
        async with sockets(server, SOCKETS) as opened:
            until = time.monotonic() + seconds
            done = await asyncio.gather(*(_talk(socket, until) for socket in opened))
            return sum(done) / seconds

    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as folder:

        def on(db: str) -> Callable[[], float]:
            return lambda: _with_server(talk, db=db)

        taken = interleaved(
            {"durable": on(f"sqlite:///{folder}/live.db"), "memory": on("memory:")}, rounds
        )
    name = f"live: messages answered, {SOCKETS} sockets, SQLite (FULL) against memory"
    yield at_least(name, taken["durable"], taken["memory"], "msg/s", least=0.8)


async def _talk(socket: Socket, until: float) -> int:
    done = 0
    while time.monotonic() < until:
        await socket.ask("hello")
        done += 1
    return done


def _beside_slow_ones(asked: int) -> Iterator[Figure]:
    """p99 until a healthy client has its answer, alone and next to sockets that never read."""

    async def measure(server: Server) -> tuple[float, float]:
        async with sockets(server, 1) as [healthy]:
            alone = await _p99(healthy, asked)
            async with sockets(server, SOCKETS) as slow:
                nagging = asyncio.create_task(_nag(slow))
                beside = await _p99(healthy, asked)
                nagging.cancel()
        return alone, beside

    alone, beside = _with_server(measure)
    name = f"live: p99 of a healthy client beside {SOCKETS} that never read"
    yield below(name, beside, "ms", most=100)
    yield at_most(f"{name}, against alone", beside, alone, "ms", most=3)


async def _p99(socket: Socket, asked: int) -> float:
    """Milliseconds; the client pauses as a person would, but for less time."""
    taken = []
    for _ in range(asked):
        began = time.perf_counter()
        await socket.ask("hello")
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(PAUSE)
    return quantiles(taken, n=100)[98]


async def _nag(slow: list[Socket]) -> None:
    """Each says something long every five seconds and reads no answer."""
    while True:
        for socket in slow:
            said = {"message": LONG, "session_id": socket.session}
            await socket.emit("user_uttered", said)
            await asyncio.sleep(5 / len(slow))


def _memory() -> Figure:
    async def measure(server: Server) -> float:
        async with sockets(server, 20):
            pass
        before = _resident(server)
        async with sockets(server, SOCKETS):
            return (_resident(server) - before) / SOCKETS

    kilobytes = _with_server(measure)
    note = "resident, session joined"
    return below("live: memory of an idle socket", kilobytes, "kB", most=200, note=note)


def _resident(server: Server) -> int:
    """kB of the server's process."""
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _with_server(work: Callable[[Server], Awaitable[Result]], db: str | None = None) -> Result:
    with turnlog_part.running(db=db, bot=ECHO) as server:

        async def run() -> Result:
            return await work(server)

        return asyncio.run(run())
