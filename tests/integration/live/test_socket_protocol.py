"""Clients that send the Socket.IO protocol's own events: they stay connected, or are dropped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import websockets

from tests.integration.live.client import connected
from tests.parts import turnlog as turnlog_part
from turnlog.errors import TurnlogError
from turnlog.server.main import check
from turnlog.server.settings import Names, Settings

if TYPE_CHECKING:
    from tests.parts.server import Server


@pytest.fixture(scope="module")
def _counting() -> Iterator[Server]:
    with turnlog_part.running("--client-ids") as running:
        yield running


@pytest.fixture
async def own_server(_counting: Server) -> Server:
    """A server whose sockets are counted, with none left."""
    await until_sockets(_counting, 0)
    return _counting


async def sockets(server: Server) -> float:
    async with httpx.AsyncClient() as http:
        lines = (await http.get(f"{server.url}/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("turnlog_sockets "))


async def until_sockets(server: Server, count: float, seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while await sockets(server) != count:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("name", ["connect", "disconnect", "connect_error", "*", "user_utered", ""])
@pytest.mark.parametrize("data", [{}, None, "reason"])
async def test_an_event_of_another_name_is_refused_and_its_client_stays_heard(
    own_server: Server, name: str, data: Any
) -> None:
    async with connected(own_server.url) as client:
        await client.session(after=0)
        for _ in range(5):
            answer = await client.sio.call(name, data, timeout=5)
            assert answer["error"]["reason"] == "BadRequest"
        assert len(await client.until(5, "chat_error")) == 5
        assert await sockets(own_server) == 1
        assert "error" not in await client.say("a table for two")
        await client.until(1, "bot_uttered")
        await asyncio.sleep(0.2)
        assert len(client.all("bot_uttered")) == 1
    await until_sockets(own_server, 0)


@pytest.mark.parametrize("packet", ["42[5]", "42[{}]", '42[["connect"]]', "42[null]", '42[""]'])
async def test_a_name_that_is_not_a_text_is_refused_too(own_server: Server, packet: str) -> None:
    async with opened(own_server) as socket:
        await socket.send(packet)
        assert '"chat_error"' in await heard(socket)


async def test_a_socket_that_connects_again_is_one_socket_and_heard_once(
    own_server: Server,
) -> None:
    async with opened(own_server) as socket:
        for _ in range(5):
            await socket.send("40")
            assert (await heard(socket)).startswith("44")
        assert await sockets(own_server) == 1
        said = {"message": "a table for two", "session_id": "again"}
        await socket.send("42" + json.dumps(["user_uttered", said]))
        assert '"bot_uttered"' in await heard(socket)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.3)
        await socket.send("41")  # leaves, and may come back
        await until_sockets(own_server, 0)
        await socket.send("40")
        assert (await heard(socket)).startswith("40")
        await socket.send("42" + json.dumps(["user_uttered", said]))
        assert '"bot_uttered"' in await heard(socket)


async def test_a_socket_that_never_reads_is_disconnected_for_its_unread_bytes(
    own_server: Server,
) -> None:
    url = f"{own_server.url}/v1/conversations/deaf/events"
    async with (
        opened(own_server, max_queue=1, compression=None) as socket,
        httpx.AsyncClient(timeout=30) as http,
    ):
        await socket.send('42["session_request",{"session_id":"deaf"}]')
        assert '"session_confirm"' in await heard(socket)
        for _ in range(40):
            long = {"type": "BotUttered", "text": "x" * 900_000}
            assert (await http.post(url, json=long)).status_code == 201
        await until_sockets(own_server, 0)
        assert "error" not in (await http.get(f"{own_server.url}/health")).text


def opened(server: Server, **options: Any) -> Any:
    address = server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    return _Opened(address, options)


class _Opened:
    """A bare websocket that has entered the namespace."""

    def __init__(self, address: str, options: dict[str, Any]) -> None:
        self._connect = websockets.connect(address, **options)

    async def __aenter__(self) -> websockets.ClientConnection:
        socket = await self._connect.__aenter__()
        await socket.send("40")
        await socket.recv()
        await socket.recv()
        return socket

    async def __aexit__(self, *exception: object) -> None:
        await self._connect.__aexit__(*exception)


async def heard(socket: websockets.ClientConnection) -> str:
    return str(await asyncio.wait_for(socket.recv(), 5))


@pytest.mark.parametrize("name", ["connect", "disconnect", "session_request", "chat_error"])
def test_an_option_cannot_take_the_name_of_an_existing_event(name: str) -> None:
    for names in (Names(user_message=name), Names(bot_message=name)):
        with pytest.raises(TurnlogError, match=name):
            check(Settings(names=names))
