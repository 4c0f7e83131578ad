"""Channels and routes write through one runner: in order, in time, with the same limits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from turnlog.bots import LoadedBot
from turnlog.server import answering
from turnlog.server.app import serving
from turnlog.server.services import Services
from turnlog.server.settings import ClientLimits, Settings

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.filterwarnings("ignore::litestar.exceptions.LitestarDeprecationWarning"),
]

Call = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]

TRACKER = "/conversations/ann/tracker/events"
EVENTS = "/v1/conversations/ann/events"
THREAD = {"unit": "u", "state": "s"}


class HeldBot:
    """Answers when released; `asked` is set while it is asked."""

    def __init__(self) -> None:
        self.asked, self.let_go = asyncio.Event(), asyncio.Event()

    async def __call__(self, conversation: Any, message: Any) -> Iterable[Any]:
        self.asked.set()
        await self.let_go.wait()
        return ["answered"]


@asynccontextmanager
async def served(
    url: str, bot: Any = None, **limits: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    settings = Settings(db=url, limits=ClientLimits(**limits), client_ids=True)
    loaded = None if bot is None else LoadedBot(bot)
    async with serving(settings, bot=loaded) as (application, services):
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client, services


def says(text: str, sender: str = "ann", **more: Any) -> Call:
    body = {"sender": sender, "message": text, **more}
    return lambda client: client.post("/webhooks/rest/webhook", json=body)


def starts_a_thread(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
    return client.post("/sessions/ann/thread/start", json=THREAD)


WRITES: dict[str, Call] = {
    "events": lambda client: client.post(EVENTS, json={"type": "SlotSet", "name": "a", "value": 1}),
    "tracker": lambda client: client.post(TRACKER, json={"event": "slot", "name": "b", "value": 1}),
    "message": lambda client: client.post(
        "/conversations/ann/messages", json={"text": "m", "sender": "user"}
    ),
    "thread": lambda client: client.put("/sessions/ann/variables/u/v", json=1),
    "request": lambda client: client.post("/sessions/ann/thread/request", json={"text": "r"}),
    "replace": lambda client: client.put(TRACKER, json=[], params={"to": 10_000}),
}
"""Ways to write that wait for a bot's answer, one after the other."""

SAVES: dict[str, Call] = {
    "value": lambda client: client.put("/sessions/ann/values/k", json=1),
    "values": lambda client: client.patch("/sessions/ann/values", json={"l": 1}),
    "turn": lambda client: client.post("/sessions/ann/turn", json={"save": {"m": 1}}),
    "prop": lambda client: client.put("/sessions/ann/props/p", json=1),
    "no prop": lambda client: client.delete("/sessions/ann/props/p"),
    "global": lambda client: client.put("/sessions/ann/globals/g", json=1),
    "no global": lambda client: client.delete("/sessions/ann/globals/g"),
    "no value": lambda client: client.delete("/sessions/ann/values/k"),
    "clear": lambda client: client.delete("/sessions/ann/values"),
}
"""Ways to save the values of a bot, which it may use while it is asked."""


async def kinds(services: Services) -> list[str]:
    return [type(event).__name__ for event in await services.log.read_events("ann")]


async def test_events_written_while_the_bot_is_asked_come_after_its_answer(url: str) -> None:
    bot = HeldBot()
    async with served(url, bot) as (client, services):
        assert (await starts_a_thread(client)).status_code == 200
        answering = asyncio.create_task(says("hello")(client))
        await bot.asked.wait()
        writing = []
        for number, write in enumerate(WRITES.values(), 2):
            writing.append(asyncio.create_task(write(client)))
            await until(lambda number=number: services.locks.users("ann") == number)
        assert await kinds(services) == ["ThreadStarted", "UserUttered"]
        bot.let_go.set()
        assert (await answering).json() == [{"recipient_id": "ann", "text": "answered"}]
        assert {r.status_code for r in await asyncio.gather(*writing)} <= {200, 201, 204}
        assert (await kinds(services))[2:] == [
            "BotUttered", "SlotSet", "SlotSet", "UserUttered", "VariableSet", "UserUttered",
        ]  # fmt: skip


async def test_a_bot_can_save_over_http_while_it_is_asked(url: str) -> None:
    async def bot(conversation: Any, message: Any) -> Iterable[Any]:
        answer = await SAVES[message.text](outer[0])
        return [f"{message.text}: {answer.status_code}"]

    outer: list[httpx.AsyncClient] = []
    async with served(url, bot) as (client, _):
        outer.append(client)
        said = [(await asyncio.wait_for(says(way)(client), 20)).json() for way in SAVES]
    assert [message["text"] for (message,) in said] == [
        "value: 204", "values: 204", "turn: 200", "prop: 204", "no prop: 204",
        "global: 204", "no global: 204", "no value: 204", "clear: 204",
    ]  # fmt: skip


async def test_a_log_that_does_not_answer_is_unavailable_on_every_route(url: str) -> None:
    async with served(url, patience=0.3, burst=100) as (client, services):
        assert (await starts_a_thread(client)).status_code == 200
        for place in ("values/k", "props/p", "globals/g"):  # so that each way has to change it
            assert (await client.put(f"/sessions/ann/{place}", json=0)).status_code == 204
        async with held(services):
            for way, write in {**WRITES, **SAVES, "webhook": says("hello")}.items():
                answer = await asyncio.wait_for(write(client), 20)
                assert (way, answer.status_code) == (way, 503)


@asynccontextmanager
async def held(services: Services) -> AsyncIterator[None]:
    """No one else can write to the log inside the block."""
    holding, end = threading.Event(), threading.Event()

    def hold() -> None:
        with services.log.sync.store.transaction():
            holding.set()
            end.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    await asyncio.to_thread(holding.wait, 10)
    try:
        yield
    finally:
        end.set()
        await asyncio.to_thread(thread.join, 10)


def asks(text: str = "hi", id: str | None = None) -> dict[str, Call]:
    """The routes of a user's message, except the socket's."""
    body = {"text": text, "message_id": id}
    return {
        "webhook": says(text, message_id=id),
        "chat": lambda client: client.post(
            "/chat/messages", json={"message": text, "message_id": id}
        ),
        "thread": lambda client: client.post("/sessions/ann/thread/request", json=body),
        "tracker": lambda client: client.post(
            "/conversations/ann/messages", json={"text": text, "sender": "user"}
        ),
    }


@pytest.mark.parametrize("way", asks())
async def test_a_user_s_message_has_the_same_limits_on_every_route(way: str) -> None:
    async with served("memory:", message=100, burst=3, rate=0.001) as (client, services):
        await starts_a_thread(client)
        session = await client.post("/chat/session", json={"conversation": "ann"})
        client.headers["Authorization"] = f"Bearer {session.json()['token']}"
        assert (await asks("é" * 51)[way](client)).json()["reason"] == "TooLarge"
        if way != "tracker":  # a message of Rasa's tracker API has no id
            for id in ("", "x" * 129, "a\nb"):
                assert (await asks(id=id)[way](client)).status_code == 400, id
        assert await kinds(services) == ["ThreadStarted"]
        answers = [await asks("é" * 50)[way](client) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["reason"] == "TooFast"


async def test_the_memory_of_a_silent_bot_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "SILENCES_KEPT", 3)
    asked: list[str] = []

    async def silent(conversation: Any, message: Any) -> Iterable[Any]:
        asked.append(conversation.id)
        return []

    async with served("memory:", silent) as (client, services):
        for turn in range(2):
            for number in range(10):
                await says("hello", f"u{number}", message_id=f"m{turn}")(client)
        assert len(services.runner._answering._silent) == 3
        asked.clear()
        await says("hello", "u9", message_id="m1")(client)
        assert asked == []  # the same message again: the bot was silent


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.005)


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/chat.db"
    found: str = request.getfixturevalue("postgres_url")
    return found
