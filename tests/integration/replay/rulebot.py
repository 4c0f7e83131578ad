"""A bot that goes by rules: what the user said so far decides what it does. And ten faulty ones.

TURNLOG_RULES names the file of its rules: by the digest of all messages so far, the answer.
Each mutant is at fault in one turn of every third conversation, chosen by the conversation's id.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from tests.integration.replay.dialogues import Answer
from turnlog import ActionExecuted, BotUttered, Entity, Event, SlotSet, ToolCalled, UserUttered
from turnlog.bots import BotConversation
from turnlog.encoding.binary import decode_events, encode_events

SEED = 20
SHARE = 3


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
    found: dict[str, Any] = msgspec.msgpack.decode(Path(os.environ["TURNLOG_RULES"]).read_bytes())
    return found


def answer_to(texts: Sequence[str | None]) -> Answer:
    events, calls, results = rules()[digest(texts)]
    understood, *rest = decode_events(events)
    return Answer(understood, list(decode_events(calls)), results, rest)


async def bot(conversation: BotConversation, message: UserUttered) -> list[Event | str]:
    """Answer as the rules say; what a tool returns must be what they expect."""
    return await _do(conversation, _found(conversation, message))


def _found(conversation: BotConversation, message: UserUttered) -> Answer:
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


# --- mutants --------------------------------------------------------------------------------------

Mutation = Callable[[Answer], "Answer | None"]


def wrong_slot(answer: Answer) -> Answer | None:
    return _changed(answer, SlotSet, lambda event: replace(event, value=["somewhere else"]))


def skipped_question(answer: Answer) -> Answer | None:
    asked = [e for e in answer.rest if isinstance(e, BotUttered) and "?" in (e.text or "")]
    return replace(answer, rest=[e for e in answer.rest if e not in asked]) if asked else None


def changed_text(answer: Answer) -> Answer | None:
    return _changed(answer, BotUttered, lambda event: replace(event, text=f"{event.text}!"))


def swapped_actions(answer: Answer) -> Answer | None:
    places = [i for i, event in enumerate(answer.rest) if isinstance(event, ActionExecuted)]
    if len(places) < 2:
        return None
    rest = list(answer.rest)
    rest[places[0]], rest[places[1]] = rest[places[1]], rest[places[0]]
    return replace(answer, rest=rest)


def lost_entity(answer: Answer) -> Answer | None:
    entities: tuple[Entity, ...] = answer.understood.entities
    return (
        replace(answer, understood=replace(answer.understood, entities=entities[1:]))
        if entities
        else None
    )


def changed_tool_argument(answer: Answer) -> Answer | None:
    if not answer.calls or not answer.calls[0].arguments:
        return None
    first, *others = answer.calls
    arguments = {**first.arguments, next(iter(first.arguments)): "something else"}
    return replace(answer, calls=[ToolCalled(first.name, arguments), *others])


def extra_message(answer: Answer) -> Answer:
    return replace(answer, rest=[*answer.rest, BotUttered("Anything else?")])


def other_order(answer: Answer) -> Answer | None:
    return replace(answer, rest=answer.rest[::-1]) if len(answer.rest) > 1 else None


def _changed(answer: Answer, kind: type[Event], change: Callable[[Any], Event]) -> Answer | None:
    place = next((i for i, event in enumerate(answer.rest) if isinstance(event, kind)), None)
    if place is None:
        return None
    rest = list(answer.rest)
    rest[place] = change(rest[place])
    return replace(answer, rest=rest)


class Mutant:
    """The rule bot with a fault in the turns that `turn` says."""

    kinds: ClassVar[dict[str, str]] = {
        "wrong_slot": "slot", "skipped_question": "missing", "changed_text": "text",
        "swapped_actions": "order", "lost_entity": "entity",
        "changed_tool_argument": "tool_arguments", "exception": "error", "hang": "timeout",
        "extra_message": "extra", "other_order": "order",
    }  # fmt: skip

    def __init__(self, name: str, share: int = SHARE) -> None:
        self.kind = self.kinds[name]
        self._share = share
        self.turns: dict[str, int | None] = {}
        self._name = name
        self._mutation: Mutation | None = globals().get(name)

    def turn(self, id: str, answers: Sequence[Answer]) -> int | None:
        """The turn of a conversation that it gets wrong, if any."""
        chance = random.Random(f"{SEED} {self._name} {id}")
        able = [
            turn
            for turn, answer in enumerate(answers, 1)
            if self._mutation is None or self._mutation(answer) is not None
        ]
        return chance.choice(able) if able and chance.randrange(self._share) == 0 else None

    async def __call__(
        self, conversation: BotConversation, message: UserUttered
    ) -> list[Event | str]:
        answer = _found(conversation, message)
        if self.turns[conversation.id] == conversation.turn:
            if self._mutation is None:
                await self._fail()
            else:
                answer = self._mutation(answer) or answer
        for call in answer.calls:
            await conversation.call(call.name, **call.arguments)
        return [answer.understood, *answer.rest]

    async def _fail(self) -> None:
        if self._name == "hang":
            await asyncio.sleep(3600)
        raise ConnectionError("no line to the model")
