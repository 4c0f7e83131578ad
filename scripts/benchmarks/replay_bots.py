"""Conversations of a bot, and bots that answer as recorded, immediately or after a delay."""

from __future__ import annotations

import asyncio
from typing import Any

from turnlog import ActionExecuted, BotUttered, MessageUnderstood, SlotSet, UserUttered
from turnlog.domain.events import Entity, Event, Intent

TURNS = 8
ANSWER_SECONDS = 0.1
START = 1_700_000_000.0


def turn(number: int) -> list[Event]:
    """Six events, and what was understood."""
    at = START + number
    entities = Entity("people", "2", 24, 27), Entity("area", "centre", 43, 49)
    text = f"I would like a table for two people in the centre of town, number {number}"
    return [
        UserUttered(text, timestamp=at),
        MessageUnderstood(Intent("book_restaurant", 0.97), entities, timestamp=at),
        SlotSet("people", number, timestamp=at),
        SlotSet("area", f"part {number}", timestamp=at),
        SlotSet("request", f"table {number}", timestamp=at),
        ActionExecuted("utter_confirm", "TEDPolicy", 0.93, timestamp=at),
        BotUttered("I found several places for two people. Shall I book one?", timestamp=at),
    ]


_ANSWERS = [turn(number)[1:] for number in range(TURNS)]


async def instant(conversation: Any, message: Any) -> Any:
    return _ANSWERS[conversation.turn - 1]


async def waits(conversation: Any, message: Any) -> Any:
    await asyncio.sleep(ANSWER_SECONDS)
    return _ANSWERS[conversation.turn - 1]
