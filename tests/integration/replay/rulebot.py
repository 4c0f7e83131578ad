"""A bot with fixed rules: the user's messages so far decide its answer.

TURNLOG_RULES names the file of its rules: by the digest of all messages so far, the answer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from tests.integration.replay.dialogues import Answer
from turnlog import Event, MessageUnderstood, SlotSet, ToolCalled, UserUttered
from turnlog.bots import BotConversation
from turnlog.encoding.binary import decode_events, encode_events


def digest(texts: Sequence[str | None]) -> str:
    return hashlib.sha256("\0".join(text or "" for text in texts).encode()).hexdigest()


def write_rules(path: Path, answers: dict[str, Answer]) -> None:
    stored = {
        key: [encode_events([a.understood, *a.rest]), encode_events(a.calls), a.results]
        for key, a in answers.items()
    }
    path.write_bytes(msgspec.msgpack.encode(stored))


@cache
def rules() -> dict[str, Any]:
    stored: dict[str, Any] = msgspec.msgpack.decode(Path(os.environ["TURNLOG_RULES"]).read_bytes())
    return stored


def answer_to(texts: Sequence[str | None]) -> Answer:
    events, calls, results = rules()[digest(texts)]
    understood, *rest = decode_events(events)
    assert isinstance(understood, MessageUnderstood)
    called = [call for call in decode_events(calls) if isinstance(call, ToolCalled)]
    return Answer(understood, called, results, rest)


async def bot(conversation: BotConversation, message: UserUttered) -> list[Event | str]:
    """Answer by the rules; tools must return what the rules expect."""
    return await _do(conversation, found(conversation, message))


def found(conversation: BotConversation, message: UserUttered) -> Answer:
    said = [event.text for event in conversation.events() if isinstance(event, UserUttered)]
    assert said[-1] == message.text
    assert conversation.turn == len(said)
    return answer_to([conversation.id, *said])


async def _do(conversation: BotConversation, answer: Answer) -> list[Event | str]:
    for call, result in zip(answer.calls, answer.results, strict=True):
        assert await conversation.call(call.name, **call.arguments) == result
    changes = [e for e in answer.rest if isinstance(e, SlotSet)]
    assert all(conversation.slots.get(e.name) != e.value for e in changes)
    return [answer.understood, *answer.rest]
