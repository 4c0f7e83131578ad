"""Twenty faulty bots: the rule bot with one fault each.

Each fails in one turn of about every third conversation, chosen by the conversation's id among the
turns where its fault is possible. TURNLOG_FAULTY names the file that lists the turns. As bots they
are `mutants:NAME`.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tests.integration.replay.dialogues import Answer
from tests.integration.replay.rulebot import found
from turnlog import (
    ActionExecuted,
    BotUttered,
    Entity,
    Event,
    Intent,
    SlotSet,
    ToolCalled,
    UserUttered,
)
from turnlog.bots import BotConversation
from turnlog.errors import ToolFailed

SEED = 20

Mutation = Callable[[Answer], "Answer | None"]
"""The faulty answer in the place of the right one; None where the fault does not show."""

SHARES = {"hang": 24}
"""Fails in one of so many conversations, where that is not three."""

KINDS = {
    "wrong_slot": "slot", "cleared_slot": "slot", "lost_slot": "missing", "extra_slot": "extra",
    "skipped_question": "missing", "changed_text": "text", "other_number": "text",
    "extra_message": "extra", "lost_action": "missing", "other_action": "action",
    "swapped_actions": "order", "other_order": "order", "wrong_intent": "intent",
    "lost_entity": "entity", "wrong_entity": "entity", "changed_tool_argument": "tool_arguments",
    "other_tool": "tool_call", "lost_call": "missing", "exception": "error", "hang": "timeout",
}  # fmt: skip
"""The kind of difference of each."""


# --- what the bot sets --------------------------------------------------------------------------


def wrong_slot(answer: Answer) -> Answer | None:
    return _changed(answer, SlotSet, lambda event: replace(event, value=["somewhere else"]))


def cleared_slot(answer: Answer) -> Answer | None:
    return _changed(answer, SlotSet, lambda event: replace(event, value=0))


def lost_slot(answer: Answer) -> Answer | None:
    return _without_first(answer, SlotSet)


def extra_slot(answer: Answer) -> Answer:
    return replace(answer, rest=[SlotSet("mood", "fine"), *answer.rest])


# --- what it says -------------------------------------------------------------------------------


def skipped_question(answer: Answer) -> Answer | None:
    asked = [e for e in answer.rest if isinstance(e, BotUttered) and "?" in (e.text or "")]
    return replace(answer, rest=[e for e in answer.rest if e not in asked]) if asked else None


def changed_text(answer: Answer) -> Answer | None:
    return _changed(answer, BotUttered, lambda event: replace(event, text=f"{event.text}!"))


def other_number(answer: Answer) -> Answer | None:
    """The first digit is a different one."""
    place = next((i for i, c in enumerate(_text(answer)) if c.isdecimal()), None)
    if place is None:
        return None
    text = _text(answer)
    other = f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1 :]}"
    return _changed(answer, BotUttered, lambda event: replace(event, text=other))


def extra_message(answer: Answer) -> Answer:
    return replace(answer, rest=[*answer.rest, BotUttered("Anything else?")])


def _text(answer: Answer) -> str:
    return next((e.text or "" for e in answer.rest if isinstance(e, BotUttered)), "")


# --- what it does -------------------------------------------------------------------------------


def lost_action(answer: Answer) -> Answer | None:
    return _without_first(answer, ActionExecuted)


def other_action(answer: Answer) -> Answer | None:
    return _changed(answer, ActionExecuted, lambda event: replace(event, name="utter_default"))


def swapped_actions(answer: Answer) -> Answer | None:
    places = [i for i, event in enumerate(answer.rest) if isinstance(event, ActionExecuted)]
    if len(places) < 2:
        return None
    rest = list(answer.rest)
    rest[places[0]], rest[places[1]] = rest[places[1]], rest[places[0]]
    return replace(answer, rest=rest)


def other_order(answer: Answer) -> Answer | None:
    return replace(answer, rest=answer.rest[::-1]) if len(answer.rest) > 1 else None


# --- what it understands and calls --------------------------------------------------------------


def wrong_intent(answer: Answer) -> Answer:
    return replace(answer, understood=replace(answer.understood, intent=Intent("out_of_scope")))


def lost_entity(answer: Answer) -> Answer | None:
    return _with_entities(answer, lambda entities: entities[1:])


def wrong_entity(answer: Answer) -> Answer | None:
    return _with_entities(
        answer, lambda entities: (replace(entities[0], value="elsewhere"), *entities[1:])
    )


def _with_entities(
    answer: Answer, change: Callable[[tuple[Entity, ...]], tuple[Entity, ...]]
) -> Answer | None:
    entities: tuple[Entity, ...] = answer.understood.entities
    if not entities:
        return None
    return replace(answer, understood=replace(answer.understood, entities=change(entities)))


def changed_tool_argument(answer: Answer) -> Answer | None:
    if not answer.calls or not answer.calls[0].arguments:
        return None
    arguments = answer.calls[0].arguments
    changed = {**arguments, next(iter(arguments)): "something else"}
    return _with_first_call(answer, ToolCalled(answer.calls[0].name, changed))


def other_tool(answer: Answer) -> Answer | None:
    if not answer.calls:
        return None
    return _with_first_call(answer, ToolCalled("elsewhere", answer.calls[0].arguments))


def lost_call(answer: Answer) -> Answer | None:
    return replace(answer, calls=answer.calls[1:]) if answer.calls else None


def _with_first_call(answer: Answer, call: ToolCalled) -> Answer:
    return replace(answer, calls=[call, *answer.calls[1:]])


# --- the bots -----------------------------------------------------------------------------------


def _without_first(answer: Answer, kind: type[Event]) -> Answer | None:
    place = next((i for i, event in enumerate(answer.rest) if isinstance(event, kind)), None)
    if place is None:
        return None
    return replace(answer, rest=[*answer.rest[:place], *answer.rest[place + 1 :]])


def _changed(answer: Answer, kind: type[Event], change: Callable[[Any], Event]) -> Answer | None:
    place = next((i for i, event in enumerate(answer.rest) if isinstance(event, kind)), None)
    if place is None:
        return None
    rest = list(answer.rest)
    rest[place] = change(rest[place])
    return replace(answer, rest=rest)


def faulty_turn(name: str, id: str, answers: Sequence[Answer]) -> int | None:
    """The turn of a conversation in which a mutant fails, if any."""
    chance = random.Random(f"{SEED} {name} {id}")
    mutation: Mutation | None = globals().get(name)
    able = [
        turn
        for turn, answer in enumerate(answers, 1)
        if mutation is None or mutation(answer) is not None
    ]
    return chance.choice(able) if able and chance.randrange(SHARES.get(name, 3)) == 0 else None


def write_faults(path: Path, conversations: Mapping[str, Sequence[Answer]]) -> None:
    turns = {
        name: {id: faulty_turn(name, id, answers) for id, answers in conversations.items()}
        for name in KINDS
    }
    path.write_bytes(msgspec.json.encode(turns))


@cache
def faults() -> dict[str, dict[str, int | None]]:
    stored: dict[str, Any] = msgspec.json.decode(Path(os.environ["TURNLOG_FAULTY"]).read_bytes())
    return stored


class Mutant:
    """The rule bot with a fault in some turns."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._mutation: Mutation | None = globals().get(name)

    async def __call__(
        self, conversation: BotConversation, message: UserUttered
    ) -> list[Event | str]:
        answer = found(conversation, message)
        if faults()[self._name].get(conversation.id) == conversation.turn:
            if self._mutation is None:
                await self._fail()
            else:
                answer = self._mutation(answer) or answer
        for call in answer.calls:
            try:
                await conversation.call(call.name, **call.arguments)
            except ToolFailed:
                continue
        return [answer.understood, *answer.rest]

    async def _fail(self) -> None:
        if self._name == "hang":
            await asyncio.sleep(3600)
        raise ConnectionError("no line to the model")


def __getattr__(name: str) -> Mutant:
    if name.removesuffix("_bot") not in KINDS:
        raise AttributeError(name)
    return Mutant(name.removesuffix("_bot"))
