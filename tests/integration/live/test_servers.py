"""Several servers on one log, and what happens when a part fails."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import turnlog
from tests.conftest import needing
from tests.faults.test_frozen import frozen
from tests.integration.live.client import Client, connected
from tests.integration.live.page import opened
from tests.parts import postgres as postgres_part
from tests.parts import turnlog as turnlog_part
from turnlog import BotFailed, BotUttered, ToolCalled, UserUttered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.parts.server import Server

ECHO = "tests.integration.live.bots:echo"

FROZEN = 10.0
"""Seconds that a database is frozen."""


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Server]:
    """A PostgreSQL to be frozen."""
    with needing("postgres"), postgres_part.running() as running:
        yield running


@pytest.fixture
def two(postgres_url: str, valkey: Server) -> Iterator[tuple[Server, Server]]:
    """Two servers on one PostgreSQL and one Redis."""
    with ExitStack() as stack:
        options = ("--redis", valkey.url)
        first, second = (
            stack.enter_context(turnlog_part.running(*options, db=postgres_url, bot=ECHO))
            for _ in range(2)
        )
        yield first, second


def shown(db: str, id: str) -> list[tuple[str, str]]:
    """Type and text of the messages that `turnlog log` shows."""
    command = [sys.executable, "-m", "turnlog", "--db", db, "--json", "log", id]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    events = [json.loads(line) for line in said.splitlines()]
    return [(e["type"], e["text"]) for e in events if e["type"] in ("UserUttered", "BotUttered")]


def turns(texts: list[str]) -> list[tuple[str, str]]:
    return [pair for text in texts for pair in (("UserUttered", text), ("BotUttered", text))]


def texts(client: Client) -> list[str]:
    """The texts of both sides, as the client received them."""
    return [d.get("message", d.get("text")) for n, d in client.heard if n.endswith("_uttered")]


async def test_messages_cross_and_none_is_lost_or_doubled_while_redis_is_gone(
    two: tuple[Server, Server], valkey: Server, postgres_url: str
) -> None:
    async with connected(two[0].url) as one, connected(two[1].url) as other:
        began = await one.session(after=0)
        assert (await other.session(token=began["token"], after=0))["session_id"]
        said = []
        for number in range(30):
            if number == 10:
                valkey.kill()
            if number == 20:
                valkey.start()
            speaker = (one, other)[number % 2]
            said.append(f"message {number}")
            assert "error" not in await speaker.say(said[-1], message_id=f"m{number}")
            await speaker.when(lambda: texts(speaker).count(said[-1]) == 2)  # noqa: B023
        for client in (one, other):
            await client.until(30, "bot_uttered")
            assert texts(client) == [text for text in said for _ in range(2)]
            assert client.events() == list(range(1, 61))
    assert shown(postgres_url, began["session_id"]) == turns(said)


async def test_the_clients_of_a_killed_server_continue_at_the_other(
    two: tuple[Server, Server], postgres_url: str
) -> None:
    async with connected(two[0].url) as client:
        began = await client.session(after=0)
        await client.say("one", message_id="1")
        await client.until(1, "bot_uttered")
        two[0].kill()
    async with connected(two[1].url) as client:
        again = await client.session(token=began["token"], after=2)
        assert again["session_id"] == began["session_id"]
        await client.say("one", message_id="1")  # its answer may have been lost: sent again
        await client.say("two", message_id="2")
        await client.until(1, "bot_uttered")
        assert texts(client) == ["two", "two"]
    assert shown(postgres_url, began["session_id"]) == turns(["one", "two"])


async def test_a_killed_server_resumes_and_answers_what_it_owed() -> None:
    with turnlog_part.running(bot="tests.integration.live.bots:slow") as server:
        said = []
        token, seen = None, 0
        for round in range(5):
            async with connected(server.url) as client:
                began = await client.session(token=token, after=seen)
                token = began["token"]
                await client.until(1 if round else 0, "bot_uttered")  # the one owed
                text = f"message {round}"
                said.append(text)
                assert "error" not in await client.say(text, message_id=text)
                if round < 4:
                    server.kill()  # acknowledged, not yet answered
                    seen = max(client.events(), default=seen)
                    server.start()
                else:
                    await client.until(2, "bot_uttered")
        assert shown(f"sqlite:///{server.folder}/chat.db", began["session_id"]) == turns(said)


async def test_a_frozen_database_acknowledges_nothing_and_the_server_recovers(
    own_postgres: Server,
) -> None:
    db = f"{postgres_part.fresh_database(own_postgres.url)}?timeout=2"
    with turnlog_part.running(db=db, bot=ECHO) as server:
        async with connected(server.url) as client, httpx.AsyncClient(timeout=30) as http:
            began = await client.session(after=0)
            await client.say("before")
            await client.until(1, "bot_uttered")
            with frozen(own_postgres):
                thaws = asyncio.get_running_loop().time() + FROZEN
                said = await client.say("meanwhile", message_id="m")
                assert said["error"]["reason"] == "Unavailable"
                assert client.all("chat_error")[0]["message_id"] == "m"
                said = {"sender": "r", "message": "hi"}
                refused = await http.post(f"{server.url}/webhooks/rest/webhook", json=said)
                assert refused.status_code == 503
                assert (await http.get(f"{server.url}/health")).status_code == 200
                assert (await http.get(f"{server.url}/health/ready")).status_code == 503
                await asyncio.sleep(thaws - asyncio.get_running_loop().time())
                assert texts(client) == ["before"] * 2
            await _until_recorded(client, "meanwhile", "m")
            await client.until(2, "bot_uttered", seconds=30)
        found = shown(db, began["session_id"])
    assert found == turns(["before", "meanwhile"])


async def test_another_server_answers_immediately_what_a_killed_one_owed(
    postgres_url: str, tmp_path: Path
) -> None:
    bot = "tests.integration.live.bots:owing"
    with (
        turnlog_part.running(db=postgres_url, bot=bot) as one,
        turnlog_part.running(db=postgres_url, bot=bot) as other,
    ):
        async with opened(one.url) as page:
            await page.say(str(tmp_path / "asked"))
            async with asyncio.timeout(10):
                while not (tmp_path / "asked").exists():
                    await asyncio.sleep(0.01)
            one.kill()
        async with opened(other.url, token=page.token) as page:
            async with asyncio.timeout(10):  # the bot may take 30 s
                heard = await page.heard(2)
    assert heard[-1]["text"] == "answered"


async def test_an_answer_in_progress_is_left_to_its_living_server(postgres_url: str) -> None:
    bot = "tests.integration.live.bots:calling"
    with (
        turnlog_part.running(db=postgres_url, bot=bot) as one,
        turnlog_part.running(db=postgres_url, bot=bot) as other,
    ):
        async with opened(one.url) as page:
            await page.say("hi")
            async with opened(other.url, token=page.token) as again:
                heard = await again.heard(2)
            await asyncio.sleep(1.5)
            past = await page.past()
    with turnlog.open(postgres_url) as log:
        events = list(log.conversation(page.id).events())
    assert [m["text"] for m in heard[1:]] == ["hi: 1 and 1"]
    assert sum(m["type"].endswith("_uttered") for m in past["messages"]) == 2
    assert sum(isinstance(event, ToolCalled) for event in events) == 2


@pytest.mark.parametrize(
    ("bot", "answer"), [("calling", "hi: 1 and 1"), ("reading", "3 events, ran 1")]
)
async def test_an_unreachable_log_is_not_the_bots_failure(
    own_postgres: Server, bot: str, answer: str
) -> None:
    db = f"{postgres_part.fresh_database(own_postgres.url)}?timeout=2"
    bot = f"tests.integration.live.bots:{bot}"
    with turnlog_part.running("--bot-timeout", "4", db=db, bot=bot) as server:
        async with connected(server.url) as client:
            began = await client.session(after=0)
            assert "error" not in await client.say("hi")
            await asyncio.sleep(0.5)
            own_postgres.kill()  # for longer than the bot may take
            await asyncio.sleep(5)
            own_postgres.start()
            await client.until(1, "bot_uttered", seconds=40)
        with turnlog.open(db) as log:
            events = list(log.conversation(began["session_id"]).events())
    assert [e.text for e in events if isinstance(e, BotUttered)] == [answer]
    calls = [e for e in events if isinstance(e, ToolCalled)]
    assert len(calls) == len({(e.name, str(e.arguments)) for e in calls})
    assert not [e for e in events if isinstance(e, BotFailed)]


async def test_a_full_disk_acknowledges_nothing_and_the_server_recovers(tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path}/full.db"
    with turnlog_part.running(db=db, bot=ECHO) as server:
        async with connected(server.url) as client:
            began = await client.session(after=0)
            await client.say("before")
            await client.until(1, "bot_uttered")
            largest = max(path.stat().st_size for path in tmp_path.iterdir())
            _limit_files(server, largest)
            said: dict[str, Any] = {}
            filler = 0
            while "error" not in said:
                filler += 1
                assert filler < 50
                said = await client.say("x" * 15_000, message_id=f"filler {filler}")
            assert said["error"]["reason"] == "Unavailable"
            _limit_files(server, resource.RLIM_INFINITY)
            await _until_recorded(client, "x" * 15_000, f"filler {filler}")
            await client.until(1 + filler, "bot_uttered", seconds=30)
    with turnlog.open(db) as log:
        events = list(log.conversation(began["session_id"]).events())
    assert sum(isinstance(event, UserUttered) for event in events) == 1 + filler
    assert sum(isinstance(event, BotUttered) for event in events) == 1 + filler


def _limit_files(server: Server, size: int) -> None:
    """A full disk: no file of the process grows beyond the size."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))


async def _until_recorded(client: Client, text: str, message_id: str) -> None:
    """Sends a message again, as the chat page does, until it is acknowledged."""
    async with asyncio.timeout(30):
        while "error" in await client.say(text, message_id=message_id):
            await asyncio.sleep(0.5)
