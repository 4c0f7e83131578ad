"""A bot that streams, in a server that kills itself at a named point of the answer, once.

The file `point` in the server's folder contains the point. It applies to that process only: code
that imports this module records by it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from turnlog import AsyncTurnlog, BotUttered, Chunk, ReasoningAdded, SlotSet


def reach(point: str) -> None:
    file = Path("point")
    if file.exists() and file.read_text() == point:
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


async def bot(conversation: Any, message: Any) -> AsyncIterator[Any]:
    """Chooses other words in each process, as a model may."""
    reach("asked")
    yield ReasoningAdded(f"look first, says {os.getpid()}")
    for chunk in chunks(message.text, 1, 2):
        yield chunk
    assert conversation.slots.get("asked") != message.text
    runs = await conversation.call("look", of=message.text)
    yield SlotSet("asked", message.text)
    assert conversation.slots["asked"] == message.text
    for chunk in chunks(message.text, 3, 4):
        yield chunk
    yield BotUttered(f"{message.text}: ran {runs}")
    for chunk in chunks(message.text, 5, 6):
        yield chunk


def chunks(text: str, *numbers: int) -> Iterator[Chunk]:
    for number in numbers:
        yield Chunk(f"{text}: chunk {number} of {os.getpid()} ")
        reach(f"chunk {number}")


def look(of: str) -> int:
    """How often it ran, counted in a file; synced to disk before it returns."""
    reach("tool begun")
    with Path("runs").open("a") as runs:
        runs.write(f"{of}\n")
        runs.flush()
        os.fsync(runs.fileno())
    reach("tool done")
    return Path("runs").read_text().splitlines().count(of)


tools = {"look": look}


def named(key: str) -> str:
    """The kind of commit that has this idempotency key."""
    kind, _, number = key.removeprefix("\x1f").partition(" ")
    piece = number.partition(".")[2]
    return kind if kind != "answer" else f"piece {piece}" if piece else "end"


record = AsyncTurnlog.record


async def recording(self: Any, id: str, *events: Any, key: str | None = None, **more: Any) -> Any:
    ours = key is not None and key.startswith("\x1f")
    if ours:
        reach(f"before {named(key or '')}")
    done = await record(self, id, *events, key=key, **more)
    if ours:
        reach(f"after {named(key or '')}")
    return done


AsyncTurnlog.record = recording  # type: ignore[method-assign]
