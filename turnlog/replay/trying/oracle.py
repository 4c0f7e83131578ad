"""Decides whether fewer messages still show a divergence, and what the bot should answer
(ADR 21).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from turnlog.bots import LoadedBot
from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Turn
from turnlog.domain.events import Event
from turnlog.domain.history import NoHistory
from turnlog.domain.message_groups import Numbered
from turnlog.domain.state import State
from turnlog.domain.traits import opens_turn
from turnlog.domain.values import same
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.comparing.difference import difference
from turnlog.replay.divergence import Divergence
from turnlog.replay.record.answers import RecordedAnswers
from turnlog.replay.running.one import divergence
from turnlog.replay.trying.rehearsal import Rehearsal
from turnlog.replay.trying.renumbering import moved
from turnlog.replay.trying.results import RecordedResults
from turnlog.replay.trying.script import ScriptLine


class FreeRun(NamedTuple):
    """A bot that answered some messages. before: how many events preceded the last message. state:
    before it.
    """

    events: Sequence[Event]
    before: int
    state: State

    @property
    def answer(self) -> list[Event]:
        """The bot's events, up to the last message."""
        return [event for _, event in self.numbered_answer]

    @property
    def numbered_answer(self) -> list[Numbered]:
        """The answer to the last message, with event numbers."""
        return RecordedAnswers(list(enumerate(self.events, 1))).of(self.last_turn)

    @property
    def last_turn(self) -> Turn:
        """The turn of the last message."""
        number = sum(map(opens_turn, self.events))
        return Turn(number, self.before + 1, tuple(self.events[self.before :]))


class KnownAnswer(msgspec.Struct, frozen=True):
    """The record of a turn. first_event: the number of its message. slots and actual: the slots
    before it, and the diverging bot's answer there; None if they need not be equal.
    """

    first_event: int
    events: tuple[Event, ...]
    slots: dict[str, Any] | None = None
    actual: tuple[Event, ...] | None = None


class ShownDivergence(NamedTuple):
    """events: of the whole conversation, with the expected answers. actual: as the bot continues on
    its own.
    """

    divergence: Divergence
    events: Sequence[Event]
    actual: Sequence[Event]


class Oracle(msgspec.Struct, frozen=True):
    """Asks a bot, and the old one, in conversations with the same first events.

    known: by turn, if there is no old bot. results: None to run the bots' tools.
    """

    id: str
    bot: LoadedBot
    old: LoadedBot | None
    begin: Sequence[Event]
    results: RecordedResults | None
    known: dict[int, KnownAnswer]
    rules: Rules
    timeout: float

    async def shown(self, lines: Sequence[ScriptLine]) -> ShownDivergence | None:
        """How the bot diverges at the last of the messages; None if it does not, or if the right
        answer is unknown.
        """
        ran = await self.run(self.bot, lines)
        expected = await self._expected(lines, ran)
        if expected is None or (found := self._divergence(expected, ran.answer, ran.state)) is None:
            return None
        if self.old is not None:
            replayed = await self._answer(expected, lines[-1])
            on_top = self._divergence(expected, replayed, expected.state)
            if on_top is None or on_top.group != found.group:
                return None
        return ShownDivergence(found, expected.events, ran.events)

    async def run(self, bot: LoadedBot, lines: Sequence[ScriptLine]) -> FreeRun:
        """The bot's answers to messages, each after what it said itself."""
        rehearsal = await self._begun(bot, self.begin)
        before, state = 0, State()
        for line in lines:
            before, state = len(rehearsal.events), rehearsal.conversation.state.copy()
            await rehearsal.say(line.message, line.recorded.turn.number)
            rehearsal.keep(line.around)
        return FreeRun(rehearsal.events, before, state)

    async def _begun(self, bot: LoadedBot, events: Sequence[Event]) -> Rehearsal:
        nothing = Conversation(self.id, State(), NoHistory())
        rehearsal = Rehearsal(nothing, bot, self.results, timeout=self.timeout)
        await rehearsal.begin(events)
        return rehearsal

    async def _expected(self, lines: Sequence[ScriptLine], ran: FreeRun) -> FreeRun | None:
        """The conversation with the expected answers."""
        if self.old is not None:
            return await self.run(self.old, lines)
        known = self.known.get(lines[-1].recorded.turn.number)
        if known is None or not (known.slots is None or same(known.slots, ran.state.slots)):
            return None
        actual = ran.answer if known.actual is None else known.actual
        if difference(list(enumerate(actual)), ran.answer, self.rules, ran.state) is not None:
            return None
        number = ran.before + 1
        answer = [moved(event, 0, number - known.first_event) for event in known.events]
        return FreeRun([*ran.events[:number], *answer], ran.before, ran.state)

    async def _answer(self, expected: FreeRun, line: ScriptLine) -> list[Event]:
        """The bot's answer to the last message, after the expected answers to the others, as in a
        replay.
        """
        rehearsal = await self._begun(self.bot, expected.events[: expected.before])
        return await rehearsal.say(line.message, line.recorded.turn.number)

    def _divergence(
        self, expected: FreeRun, answer: Sequence[Event], state: State
    ) -> Divergence | None:
        """state: before the bot's answer."""
        common = common_state(expected.state, state)
        differs = difference(expected.numbered_answer, answer, self.rules, common)
        if differs is None:
            return None
        return divergence(self.id, expected.last_turn, expected.state.slots, differs)


def common_state(one: State, other: State) -> State | None:
    """The state before two answers; None if the slots differed."""
    return one if same(one.slots, other.slots) else None
