"""Two servers behind nginx and haproxy, with the snippets of the docs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.conftest import needing
from tests.integration.live.client import connected
from tests.integration.live.page import WORK, opened
from tests.parts import balancers
from tests.parts import postgres as postgres_part
from tests.parts import turnlog as turnlog_part

if TYPE_CHECKING:
    from tests.parts.server import Server

STICKY = {"nginx": "hash $remote_addr", "haproxy": "balance source"}
"""The line that keeps each client at the same server."""


@pytest.fixture(scope="module")
def two(postgres: Server) -> Iterator[list[Server]]:
    url = postgres_part.fresh_database(postgres.url)
    with turnlog_part.running(db=url) as one, turnlog_part.running(db=url) as other:
        yield [one, other]
    postgres_part.drop_database(url)


@pytest.mark.parametrize("name", STICKY)
async def test_polling_clients_stay_with_their_server(two: list[Server], name: str) -> None:
    with needing(name), balancers.running(name, two) as url:
        for transports in (["polling", "websocket"], ["websocket"]):
            async with connected(url, transports=transports) as client:
                await client.session(after=0)
                assert "error" not in await client.say("a table for two")
                await client.until(1, "bot_uttered")


@pytest.mark.parametrize("name", STICKY)
async def test_without_the_snippets_line_they_do_not_stay(two: list[Server], name: str) -> None:
    with needing(name), balancers.running(name, two, without=STICKY[name]) as url:
        assert 400 in await polls(url)
    with needing(name), balancers.running(name, two) as url:
        assert await polls(url) == [200] * 4


async def polls(url: str) -> list[int]:
    """The answers to the first requests of a connection by polling."""
    handshake = {"EIO": "4", "transport": "polling"}
    async with httpx.AsyncClient(base_url=url, timeout=20) as http:
        begun = (await http.get("/socket.io/", params=handshake)).text
        session = {**handshake, "sid": json.loads(begun[1:])["sid"]}
        answers = [await http.post("/socket.io/", params=session, content="40") for _ in range(4)]
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize("name", STICKY)
async def test_our_own_page_needs_no_sticky_sessions(two: list[Server], name: str) -> None:
    with needing(name), balancers.running(name, two, without=STICKY[name]) as url:
        async with opened(url) as page:
            said = ["a table for two", "tomorrow", "at 19:30", "Ada"]
            seen = 0
            for text in said:
                assert (await page.say(text)).status_code == 200
                seen = (await page.heard(2, after=seen))[-1]["event"]
            past = (await page.past())["messages"]
    assert [m["message"] for m in past if m["type"] == "user_uttered"] == said
    assert sum(m["type"] not in WORK for m in past) == 8
