"""Bots that each behave in one way."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from turnlog import BotUttered


async def kinds(conversation: Any, message: Any) -> list[Any]:
    """Every kind of message a channel can send."""
    return [
        "one\n\ntwo",
        BotUttered("first\n\nlast", {"buttons": [{"title": "Yes", "payload": "/yes"}]}),
        BotUttered(None, {"image": "https://example.com/a.png"}),
        BotUttered(None, {"attachment": {"type": "file", "payload": {}}}),
        BotUttered(None, {"elements": [{"title": "Card"}]}),
        BotUttered(None, {"custom": {"data": {"any": "thing"}, "room": "everybody"}}),
    ]


async def metadata(conversation: Any, message: Any) -> list[Any]:
    return [str((message.extra or {}).get("metadata"))]


async def echo(conversation: Any, message: Any) -> list[Any]:
    return [message.text]


async def slow(conversation: Any, message: Any) -> list[Any]:
    await asyncio.sleep(0.3)
    return [message.text]


async def failing(conversation: Any, message: Any) -> list[Any]:
    raise ValueError("no answer today")


async def hanging(conversation: Any, message: Any) -> list[Any]:
    await asyncio.sleep(3600)
    return []


async def stubborn(conversation: Any, message: Any) -> list[Any]:
    """Ignores its cancellation."""
    for _ in range(4):
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            continue
    return ["too late"]


async def impossible(conversation: Any, message: Any) -> list[Any]:
    """Answers with something that no log can store."""
    return [BotUttered("not a number", {"custom": float("nan")})]


async def calling(conversation: Any, message: Any) -> list[Any]:
    """Calls slow tools, and says how often they ran."""
    first = await conversation.call("count", of="first")
    second = await conversation.call("count", of="second")
    return [f"{message.text}: {first} and {second}"]


RUNS: Counter[str] = Counter()


async def count(of: str) -> int:
    RUNS[of] += 1
    await asyncio.sleep(1.2)
    return RUNS[of]


async def reading(conversation: Any, message: Any) -> list[Any]:
    """Reads the log itself after a call."""
    await conversation.call("count", of="read")
    await asyncio.sleep(1.2)
    said = len(list(conversation.events()))
    return [f"{said} events, ran {RUNS['read']}"]


async def forever(of: str) -> int:
    """A first tool that is slow unless a file of that name exists, and makes the file."""
    if not Path(of).exists():
        Path(of).touch()
        await asyncio.sleep(3600)
    return 1


async def owing(conversation: Any, message: Any) -> list[Any]:
    """Answers only when it is asked again."""
    await conversation.call("forever", of=message.text)
    return ["answered"]


tools = {"count": count, "forever": forever}


async def chosen(conversation: Any, message: Any) -> list[Any]:
    """The bot that the conversation's id names."""
    bot = globals()[conversation.id.partition("-")[0]]
    answer: list[Any] = await bot(conversation, message)
    return answer
