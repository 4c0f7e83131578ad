"""Bots that answer as was recorded, at once or after a while."""

from __future__ import annotations

import asyncio
from typing import Any

from scripts.benchmarks.sides import turn

ANSWERS = [turn(number)[1:] for number in range(64)]
ANSWER_SECONDS = 0.1


async def instant(conversation: Any, message: Any) -> Any:
    return ANSWERS[conversation.turn - 1]


async def waits(conversation: Any, message: Any) -> Any:
    await asyncio.sleep(ANSWER_SECONDS)
    return ANSWERS[conversation.turn - 1]
