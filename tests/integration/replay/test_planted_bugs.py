"""Five bugs together in a bot, over real dialogues: one run names five groups with their sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import turnlog
from tests.integration.replay.corpus import Corpus, made
from tests.integration.replay.dialogues import Answer
from tests.integration.replay.rulebot import found
from turnlog import ActionExecuted, BotUttered, Event, SlotSet, ToolCalled, UserUttered
from turnlog.bots import LoadedBot
from turnlog.replay import Rules, replay
from turnlog.replay.grouping.groups import grouped

COUNT = 150
SLOT, ACTION, ENTITY, TOOL = "Banks_1.amount", "goodbye_", "genre", "FindEvents"


def wrong_amount(answer: Answer) -> Answer:
    rest = [
        replace(event, value="a lot")
        if isinstance(event, SlotSet) and event.name == SLOT
        else event
        for event in answer.rest
    ]
    return replace(answer, rest=rest)


def no_goodbye(answer: Answer) -> Answer:
    gone = ActionExecuted(ACTION)
    return replace(answer, rest=[event for event in answer.rest if event != gone])


def no_genre(answer: Answer) -> Answer:
    entities = answer.understood.entities
    lost = next((entity for entity in entities if entity.entity == ENTITY), None)
    kept = tuple(entity for entity in entities if entity is not lost)
    return replace(answer, understood=replace(answer.understood, entities=kept))


def elsewhere(answer: Answer) -> Answer:
    calls = [
        ToolCalled(call.name, {**call.arguments, "city": "Elsewhere"})
        if call.name == TOOL
        else call
        for call in answer.calls
    ]
    return replace(answer, calls=calls)


def chatty(answer: Answer) -> Answer:
    """Every message has another wording: with only the first difference of each conversation,
    nearly nothing else shows.
    """
    rest = [
        replace(event, text=f"Well. {event.text}") if isinstance(event, BotUttered) else event
        for event in answer.rest
    ]
    return replace(answer, rest=rest)


BUGS: dict[str, Callable[[Answer], Answer]] = {
    "entity - genre": no_genre,
    "tool_arguments ToolCalled FindEvents arguments.city": elsewhere,
    "slot SlotSet Banks_1.amount value": wrong_amount,
    "missing ActionExecuted goodbye_": no_goodbye,
    "text BotUttered “” → “Well.”": chatty,
}
"""In the order in which a turn's answer is compared."""


async def buggy(conversation: Any, message: UserUttered) -> list[Event | str]:
    answer = found(conversation, message)
    for bug in BUGS.values():
        answer = bug(answer)
    for call in answer.calls:
        await conversation.call(call.name, **call.arguments)
    return [answer.understood, *answer.rest]


def expected(corpus: Corpus) -> Counter[str]:
    """The number of turns in which each bug is the first that shows."""
    turns: Counter[str] = Counter()
    for pairs in corpus.turns.values():
        for _, answer in pairs:
            showing = [group for group, bug in BUGS.items() if bug(answer) != answer]
            turns.update(showing[:1])
    return turns


@pytest.fixture
def corpus(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpus:
    return made(f"sqlite:///{tmp_path}/log.db", shared_data, tmp_path, COUNT, monkeypatch)


def test_five_planted_bugs_are_five_groups_in_one_run(corpus: Corpus) -> None:
    with turnlog.open(corpus.url) as log:
        replayed = list(replay(log, corpus.turns, LoadedBot(buggy)))
        masked = list(
            replay(log, corpus.turns, LoadedBot(buggy), rules=Rules(masks=(r"^(Well\. )?",)))
        )
    wanted = expected(corpus)
    assert set(wanted) == set(BUGS)
    groups = grouped(divergence for one in replayed for divergence in one.divergences)
    assert {group.group: group.turns for group in groups} == dict(wanted)
    firsts = Counter(one.first.group for one in replayed if one.first)
    assert any(firsts[group] < wanted[group] / 4 for group in BUGS)  # --first would hide these
    left = grouped(divergence for one in masked for divergence in one.divergences)
    assert {group.group for group in left} == set(BUGS) - {"text BotUttered “” → “Well.”"}
