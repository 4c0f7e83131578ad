"""Bots that yield their answers, each in one way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from turnlog import (
    AnswerMeasured,
    BotUttered,
    Chunk,
    MediaAdded,
    ReasoningAdded,
    RefusalAdded,
    SlotSet,
    Usage,
)


async def words(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """A message in chunks, a whole one, and another in chunks."""
    for word in ("one ", "two ", "three"):
        yield Chunk(word)
        await asyncio.sleep(0.05)
    yield "whole"
    yield Chunk("the ")
    yield Chunk("end")


def plain(conversation: Any, message: Any) -> Iterator[Any]:
    yield Chunk("a")
    yield Chunk("b")
    yield "c"


async def silent(conversation: Any, message: Any) -> AsyncIterator[Any]:
    for nothing in ():
        yield nothing


async def failing(conversation: Any, message: Any) -> AsyncIterator[Any]:
    yield "whole"
    yield Chunk("beg")
    yield Chunk("un")
    raise ValueError("no more")


async def stalling(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Says something and then nothing."""
    yield Chunk("begun")
    try:
        await asyncio.sleep(3600)
    finally:
        Path("closed").touch()


async def waiting(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Does not end in a server whose folder has the file `wait`."""
    yield str(await conversation.call("look", day="today"))
    yield Chunk("and ")
    while Path("wait").exists():
        await asyncio.sleep(0.02)
    yield Chunk("ended")


async def slowly(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Its tool takes longer than the idle timeout."""
    yield Chunk("begun ")
    yield Chunk(str(await conversation.call("rest")))


async def rest() -> str:
    await asyncio.sleep(1.2)
    return "rested"


async def endless(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Continues for as long as it may, with one word every tenth of a second."""
    for number in range(10_000):
        yield Chunk(f"{number} ")
        await asyncio.sleep(0.1)


async def stubborn(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Ignores its cancellation and continues."""
    yield Chunk("begun")
    for _ in range(30):
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            continue
    yield "too late"


async def patiently(conversation: Any, message: Any) -> list[Any]:
    """Does not stream, and is slow."""
    await asyncio.sleep(3600)
    return []


async def impossible(conversation: Any, message: Any) -> AsyncIterator[Any]:
    yield "first"
    yield BotUttered("not a number", {"custom": float("nan")})


async def echoing(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Repeats the message: as reasoning, as a tool's name, as chunks and as usage."""
    yield ReasoningAdded(message.text)
    for letter in message.text:
        yield Chunk(letter)
    yield AnswerMeasured(model=message.text, usage=Usage(currency=message.text, cost=1.0))


async def gated(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Answers as `working` does, and waits in the middle of a message for a file."""
    async for piece in working(conversation, message):
        yield piece
        while piece == Chunk("There **is** ") and not Path("go").exists():
            await asyncio.sleep(0.02)


async def working(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Everything of an answer that a page shows."""
    yield ReasoningAdded("They ask for a table; look whether there is one.")
    yield Chunk("Let me look. ")
    free = await conversation.call("look", day="today")
    yield SlotSet("free", free)
    yield Chunk("There **is** ")
    yield Chunk("a table.")
    yield MediaAdded("image", uri="https://example.com/table.png", filename="table.png")
    yield RefusalAdded("I cannot choose the wine for you.")
    usage = Usage(input=120, output=34, latency=1.25, cost=0.0021, currency="USD")
    yield AnswerMeasured(usage=usage, model="made-up-1", finish="stop")


async def early(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """One message immediately, and then nothing for long."""
    yield "first"
    await asyncio.sleep(3600)


async def look(day: str) -> bool:
    await asyncio.sleep(0.05)
    return True


tools = {"look": look, "rest": rest}


async def chosen(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """The bot that the conversation's id names."""
    bot = globals()[conversation.id.partition("-")[0]]
    answer = bot(conversation, message)
    if hasattr(answer, "__aiter__"):
        async for piece in answer:
            yield piece
    else:
        for piece in await answer:
            yield piece
