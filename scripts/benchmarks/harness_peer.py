"""The SQLite store of pydantic-ai's harness, in a separate environment.

Run as `harness_peer.py DATABASE TURNS TEXT ANSWER`. Answers each line of its input, `load` or
`append`, with the seconds that it took.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    TextPart,
    UserPromptPart,
)
from pydantic_ai_harness.step_persistence.conversations import (
    ConversationSummary,
    SqliteConversationStore,
)


class Peer:
    """A conversation that is saved whole after each turn."""

    def __init__(self, database: str, text: str, answer: str) -> None:
        self.store = SqliteConversationStore(database=Path(database))
        self.summary = ConversationSummary(workspace="bench")
        self.messages: list[Any] = []
        self._text, self._answer = text, answer

    def say(self, turn: int) -> None:
        self.messages.append(ModelRequest([UserPromptPart(self._text.format(n=turn))]))
        self.messages.append(ModelResponse([TextPart(self._answer)]))

    async def append(self) -> None:
        self.say(len(self.messages) // 2)
        self.summary = await self.store.save(summary=self.summary, messages=self.messages)

    async def load(self) -> object:
        return await self.store.get(conversation_id=self.summary.id)


async def main(database: str, turns: str, text: str, answer: str) -> None:
    peer = Peer(database, text, answer)
    for turn in range(int(turns) - 1):
        peer.say(turn)
    await peer.append()
    for line in sys.stdin:
        work = peer.load if line.strip() == "load" else peer.append
        begun = time.perf_counter()
        found = await work()
        took = time.perf_counter() - begun
        print(took, flush=True)
        del found


asyncio.run(main(*sys.argv[1:]))
