"""A server is killed at every point of a streamed answer, and started again.

Each message comes once, each recorded result of a tool is the only one, nothing is lost, and the
client continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from socketio.exceptions import SocketIOError

import turnlog
from tests.faults.conftest import LONG
from tests.faults.streaming_points import POINTS, TOOL_UNRECORDED
from tests.integration.live.client import connected
from tests.integration.live.page import opened
from tests.parts import turnlog as turnlog_part

if TYPE_CHECKING:
    from tests.parts.server import Server

SHORT = ("chunk 2", "after piece 2", "tool begun", "after return", "before end", "after end")

ANSWER = [
    "ReasoningAdded", "BotUttered", "ToolCalled", "ToolReturned", "SlotSet", "BotUttered",
    "BotUttered", "BotUttered", "AnswerEnded",
]  # fmt: skip


@pytest.fixture(scope="module")
def killed() -> Iterator[Server]:
    bot = "tests.faults.streaming_bot:bot"
    with turnlog_part.running("--client-ids", bot=bot) as running:
        yield running


async def by_socket(server: Server, id: str) -> list[str]:
    """The messages that a connected Socket.IO client heard, before and after it came back."""
    async with connected(server.url) as client:
        began = await client.session(session_id=id, after=0)
        await said(lambda: client.say("one", message_id=f"{id}-1"))
        await until(lambda: not client.sio.connected)
    heard, seen = client.heard, max(client.events(), default=0)
    server.restart()
    async with connected(server.url) as client:
        await client.session(token=began["token"], after=seen)
        await client.say("one", message_id=f"{id}-1")  # it cannot know whether it was heard
        await client.when(lambda: answers(heard + client.heard) >= 4)
        await client.say("two", message_id=f"{id}-2")
        await client.when(lambda: answers(heard + client.heard) >= 8)
        await client.when(lambda: client.heard[-1] == ("bot_typing", {"typing": False}))
        heard += client.heard
    numbers = [data["event"] for name, data in heard if name.endswith("_uttered")]
    assert numbers == sorted(set(numbers))
    previews_are_replaced(heard)
    return [d.get("message", d.get("text")) for n, d in heard if n.endswith("_uttered")]


def answers(heard: list[tuple[str, Any]]) -> int:
    return sum(name == "bot_uttered" for name, _ in heard)


def previews_are_replaced(heard: list[tuple[str, Any]]) -> None:
    """Each message shown as chunks from its beginning is replaced by the whole message."""
    preview = ""
    for name, data in heard:
        if name == "bot_chunk":
            preview = data["text"] if data["first"] else preview + data["text"]
        elif name == "session_confirm":
            preview = ""  # a client that comes back forgets it
        elif name == "bot_uttered":
            assert preview in ("", data["text"])
            preview = ""


async def by_page(server: Server, id: str) -> list[str]:
    """The messages that an open chat page heard, before and after it came back."""
    async with opened(server.url, conversation=id) as page:
        messages: list[Any] = []
        listening = asyncio.create_task(listened(page, messages))
        await asyncio.sleep(0.1)
        await said(lambda: page.say("one", message_id=f"{id}-1"))
        await listening
    server.restart()
    async with opened(server.url, token=page.token) as page:
        listening = asyncio.create_task(listened(page, messages))
        await page.say("one", message_id=f"{id}-1")
        await until(lambda: spoken(messages) >= 4)
        await page.say("two", message_id=f"{id}-2")
        await until(lambda: spoken(messages) >= 8)
        listening.cancel()
        assert (await page.past())["messages"] == messages
    return [m.get("message", m.get("text")) for m in messages if m["type"].endswith("_uttered")]


async def listened(page: Any, messages: list[Any]) -> None:
    after = messages[-1]["event"] if messages else 0
    try:
        async for name, _, data in page.stream(after):
            messages += data if name == "message" else []
    except httpx.HTTPError:
        pass


def spoken(messages: list[Any]) -> int:
    return sum(message["type"] == "bot_uttered" for message in messages)


async def said(say: Callable[[], Awaitable[Any]]) -> None:
    """Send a message; its acknowledgement may or may not arrive."""
    with suppress(httpx.HTTPError, SocketIOError):
        await say()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("client", [by_socket, by_page])
@pytest.mark.parametrize("point", POINTS if LONG else SHORT)
async def test_an_answer_continues_after_a_kill(
    killed: Server, point: str, client: Callable[[Server, str], Awaitable[list[str]]]
) -> None:
    id = f"{point} {client.__name__}"
    for name in ("runs", "point"):
        (killed.folder / name).unlink(missing_ok=True)
    (killed.folder / "point").write_text(point)
    heard = await client(killed, id)
    assert not (killed.folder / "point").exists()
    check_texts(heard)
    with turnlog.open(f"sqlite:///{killed.folder}/chat.db", readonly=True) as log:
        events = list(log.conversation(id).events())
        slots = log.conversation(id).slots
    assert [type(event).__name__ for event in events] == ["UserUttered", *ANSWER] * 2
    assert slots == {"asked": "two"}
    runs = (killed.folder / "runs").read_text().splitlines()
    assert runs.count("two") == 1
    most = 2 if point in TOOL_UNRECORDED else 1
    assert 1 <= runs.count("one") <= most


def check_texts(heard: list[str]) -> None:
    """Both questions and their answers whole, each message once, in the words of one process."""
    assert len(heard) == 10
    for text, answer in zip(("one", "two"), (heard[:5], heard[5:]), strict=True):
        question, *messages = answer
        assert question == text
        places = [[1, 2], [3, 4], None, [5, 6]]
        for message, chunks in zip(messages, places, strict=True):
            if chunks is None:
                assert message.startswith(f"{text}: ran ")
            else:
                words = message.split()
                assert [int(word) for word in words[2::5]] == chunks
                assert len({*words[4::5]}) == 1
