"""Saves turns of a conversation until all are saved or it is killed; prints each one saved.

Run as `python -m tests.pydantic_ai_program URL WHO TURNS`.
"""

from __future__ import annotations

import asyncio
import sys

from pydantic_ai.conversation import Conversation
from pydantic_ai.conversation_store import ConversationConflict
from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart

from turnlog.agents.pydantic_ai import TurnlogConversationStore


async def main(url: str, who: str, turns: int) -> None:
    async with TurnlogConversationStore(url) as store:
        for turn in range(turns):
            while True:
                loaded = await store.load("a") or Conversation(conversation_id="a")
                loaded.messages.append(ModelRequest([UserPromptPart(f"{who} {turn}")]))
                loaded.messages.append(ModelResponse([TextPart(f"to {who} {turn}")]))
                try:
                    await store.save(loaded)
                except ConversationConflict:
                    continue
                print(f"{who} {turn}", flush=True)
                break


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
