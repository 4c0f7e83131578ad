"""A log of dialogues with the rule bot, and the live answers of its mutants."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

import turnlog
from tests.integration.replay import mutants, rulebot
from tests.integration.replay.dialogues import Answer, answered
from turnlog import Dialogue, Event, ToolCalled, Turnlog, UserUttered
from turnlog.errors import ToolFailed

Turns = list[tuple[UserUttered, Answer]]


class Corpus(NamedTuple):
    """url: of the log. turns: of each conversation, its messages and answers."""

    url: str
    turns: dict[str, Turns]


def made(url: str, data: Path, folder: Path, count: int, environment: pytest.MonkeyPatch) -> Corpus:
    """Every second conversation names its messages as causes, as a live server does.

    If there are fewer dialogues, they are repeated under other ids.
    """
    dialogues = list(answered(data, count))
    named = (
        (name if number < len(dialogues) else f"{name} again", pairs)
        for number, (name, pairs) in zip(range(count), [*dialogues, *dialogues], strict=False)
    )
    turns = dict(named)
    with turnlog.open(url) as log:
        for number, (id, pairs) in enumerate(turns.items()):
            _record(log, id, pairs, named=number % 2 == 1)
    rulebot.write_rules(folder / "rules", _rules(turns))
    mutants.write_faults(folder / "faults", {id: [a for _, a in t] for id, t in turns.items()})
    environment.setenv("TURNLOG_RULES", str(folder / "rules"))
    environment.setenv("TURNLOG_FAULTY", str(folder / "faults"))
    rulebot.rules.cache_clear()
    mutants.faults.cache_clear()
    return Corpus(url, turns)


def _rules(turns: dict[str, Turns]) -> dict[str, Answer]:
    known: dict[str, Answer] = {}
    for id, pairs in turns.items():
        said: list[str | None] = [id]
        for message, answer in pairs:
            said.append(message.text)
            known[rulebot.digest(said)] = answer
    return known


def _record(log: Turnlog, id: str, pairs: Turns, *, named: bool) -> None:
    events: list[Event] = []
    for turn, (message, answer) in enumerate(pairs, 1):
        events.append(UserUttered(message.text))
        cause = len(events) if named else None
        events += [replace(event, cause=cause) for event in answer.events(turn)]
    log.import_dialogue(Dialogue(id, tuple(events)))


# --- the oracle ---------------------------------------------------------------------------------


class LiveTalk:
    """A conversation as a running bot sees it, without a log: tools return what they returned
    before.
    """

    def __init__(self, id: str) -> None:
        self.id, self.turn = id, 0
        self.slots: dict[str, Any] = {}
        self.heard: list[Event] = []
        self.called: list[ToolCalled] = []
        self._tools: dict[str, list[Any]] = {}

    def events(self) -> list[Event]:
        return self.heard

    def hear(self, message: UserUttered, answer: Answer) -> None:
        """A message, and the answer with its tool results."""
        self.turn += 1
        self.heard.append(message)
        self.called = []
        self._tools = {}
        for call, result in zip(answer.calls, answer.results, strict=True):
            self._tools.setdefault(call.name, []).append(result)

    def take(self, answer: Answer) -> None:
        """As the rule bot answered."""
        for event in answer.rest:
            if isinstance(event, turnlog.SlotSet):
                self.slots[event.name] = event.value

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        self.called.append(ToolCalled(tool, arguments))
        if not self._tools.get(tool):
            raise ToolFailed(tool, "the tool does not exist")
        return self._tools[tool].pop(0)


def affected(corpus: Corpus, name: str) -> dict[str, list[int]]:
    """The turns in which a mutant answers differently from the rule bot, both run live."""
    return asyncio.run(_affected(corpus, name))


async def _affected(corpus: Corpus, name: str) -> dict[str, list[int]]:
    mutant, turns = mutants.Mutant(name), dict[str, list[int]]()
    for id, pairs in corpus.turns.items():
        one, other = LiveTalk(id), LiveTalk(id)
        for message, answer in pairs:
            for talk in (one, other):
                talk.hear(message, answer)
            if await _said(rulebot.bot, one, message) != await _said(mutant, other, message):
                turns.setdefault(id, []).append(one.turn)
            one.take(answer)
            other.take(answer)
    return turns


async def _said(bot: Any, talk: LiveTalk, message: UserUttered) -> Sequence[Any]:
    """Everything that a bot did about a message, or how it failed."""
    try:
        async with asyncio.timeout(0.05):
            answer = await bot(talk, message)
    except (TimeoutError, ConnectionError) as error:
        return [type(error).__name__]
    return [msgspec.to_builtins(event) for event in (*talk.called, *answer)]
