"""What if: a conversation continues from a moment, in memory (ADR 21).

The record up to the moment is the past. Then messages are sent to the bot, each after what it said
itself, and its answers are compared with the record's, or another bot's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import asdict, replace

from turnlog.bots import LoadedBot
from turnlog.domain.conversation import Conversation, Past
from turnlog.domain.events import Event, HistoryContinued, UserUttered
from turnlog.domain.message_groups import Numbered
from turnlog.domain.state import State
from turnlog.domain.streams import check_id
from turnlog.engine.forking import Fork
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Command, Recorded, Request
from turnlog.errors import InvalidEvent
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.comparing.difference import difference
from turnlog.replay.divergence import Divergence
from turnlog.replay.record.turns import recorded_turns
from turnlog.replay.running.one import divergence
from turnlog.replay.running.settings import ANSWER_SECONDS
from turnlog.replay.trying.oracle import common_state
from turnlog.replay.trying.past import earlier, shows_hidden
from turnlog.replay.trying.rehearsal import Rehearsal, performed
from turnlog.replay.trying.renumbering import moved
from turnlog.replay.trying.results import RecordedResults
from turnlog.replay.trying.script import Edits, Script, ScriptLine, script


class TriedTurn(msgspec.Struct, frozen=True):
    """A message and the answers to it.

    turn: in the trial. recorded: the message's turn in the record, or that of the message it
    replaces. actual: the bot's answer, calls first. expected: the record's, or the other bot's.
    slots and expected_slots: those with a value after it. divergence: the first difference, None
    for none.
    """

    turn: int
    recorded: int
    message: UserUttered
    actual: tuple[Event, ...]
    expected: tuple[Event, ...]
    slots: dict[str, Any]
    expected_slots: dict[str, Any]
    divergence: Divergence | None = None

    def as_dict(self) -> dict[str, Any]:
        """The line that `replay --from-turn --json` prints."""
        return {
            "turn": self.turn,
            "recorded": self.recorded,
            "message": self.message.text,
            "actual": [event.as_dict() for event in self.actual],
            "expected": [event.as_dict() for event in self.expected],
            "slots": self.slots,
            "expected_slots": self.expected_slots,
            "divergence": self.divergence and asdict(self.divergence),
        }


class Trial(msgspec.Struct, frozen=True):
    """A trial. events: all events after the first `shared` events of the record, numbered from
    there.
    """

    conversation: str
    shared: int
    turns: tuple[TriedTurn, ...]
    events: tuple[Event, ...]

    @property
    def differs(self) -> bool:
        """Whether any turn differs."""
        return any(turn.divergence is not None for turn in self.turns)


def go_on(
    log: Turnlog,
    id: str,
    bot: LoadedBot,
    *,
    from_turn: int | None = None,
    say: str | UserUttered | None = None,
    edits: Edits | None = None,
    follow: bool | None = None,
    beside: LoadedBot | None = None,
    rules: Rules | None = None,
    timeout: float = ANSWER_SECONDS,
    live: bool = False,
) -> Trial:
    """Continue a conversation from a turn's message; nothing is stored.

    say: replaces that message. edits: fields that replace those of a recorded event, by its number;
    from_turn is then by default the first turn after one. follow: also send the later messages of
    the record, by default unless a message is replaced or edited; redacted and retracted ones are
    omitted. beside: a bot that continues from the same moment, whose answers are expected instead
    of the record's. timeout: seconds for an answer. live: calls run the bot's tools instead of
    returning recorded results.

    Runs its own event loop: an async program calls it in a thread, where a bot that blocks cannot
    be interrupted. Raises OutOfRange for an unknown turn or event, FormatError for an invalid edit,
    ConversationError if a message was redacted, and BotError.
    """
    conversation = log.conversation(id)
    follows = follow if follow is not None else say is None and not edits
    going = script(conversation, from_turn, say, edits or {}, follows)
    results = None if live else recorded_results(conversation)
    stage = _Stage(log, conversation, going, results, timeout)
    turns, events = performed(stage.play(bot, beside, rules or Rules()), bot, beside)
    return Trial(id, going.shared, tuple(turns), tuple(events))


def recorded_results(conversation: Conversation) -> RecordedResults:
    """The results of turns in which nothing is hidden: a redacted word reaches no bot."""
    every = recorded_turns(conversation)
    return RecordedResults(each for each in every if each.reason != "redacted")


class _Expected(NamedTuple):
    """The expected answer, the state before it and the slots after it."""

    answer: Sequence[Numbered]
    before: State
    slots: dict[str, Any]


class _Stage:
    """The moment from which bots continue, each in a separate conversation."""

    def __init__(
        self,
        log: Turnlog,
        conversation: Conversation,
        going: Script,
        results: RecordedResults | None,
        timeout: float,
    ) -> None:
        self._log = log
        self._conversation = conversation
        self._going = going
        self._results = results
        self._timeout = timeout

    async def play(
        self, bot: LoadedBot, beside: LoadedBot | None, rules: Rules
    ) -> tuple[list[TriedTurn], list[Event]]:
        """The turns, and all events of the bot's conversation."""
        rehearsal = await self._begun(bot)
        other = await self._begun(beside) if beside is not None else None
        turns = [await self._tried(line, rehearsal, other, rules) for line in self._going.lines]
        return turns, rehearsal.events

    async def _begun(self, bot: LoadedBot) -> Rehearsal:
        past = earlier(self._log, self._conversation, self._going.shared)
        rehearsal = Rehearsal(past, bot, self._results, timeout=self._timeout)
        await rehearsal.begin(self._going.changed)
        return rehearsal

    async def _tried(
        self, line: ScriptLine, rehearsal: Rehearsal, other: Rehearsal | None, rules: Rules
    ) -> TriedTurn:
        now, number = rehearsal.conversation, line.recorded.turn.number
        before = now.state.copy()
        actual = await rehearsal.say(line.message, number)
        rehearsal.keep(line.around)
        right = self._recorded(line) if other is None else await _answered(line, other)
        expected = tuple(event for _, event in right.answer)
        found = self._divergence(line, actual, before, right, rules)
        return TriedTurn(
            now.turn, number, line.message, tuple(actual), expected, now.slots, right.slots, found
        )

    def _recorded(self, line: ScriptLine) -> _Expected:
        turn, at = line.recorded.turn, self._conversation.at
        after = at(turn.first_event + len(turn.events) - 1)
        return _Expected(line.recorded.answer, at(turn.first_event - 1).state, after.slots)

    def _divergence(
        self,
        line: ScriptLine,
        actual: Sequence[Event],
        before: State,
        right: _Expected,
        rules: Rules,
    ) -> Divergence | None:
        state, turn = common_state(before, right.before), line.recorded.turn
        differs = difference(right.answer, actual, rules, state)
        if differs is None:
            return None
        found = divergence(self._conversation.id, turn, before.slots, differs)
        return replace(found, message=line.message.text)


async def _answered(line: ScriptLine, other: Rehearsal) -> _Expected:
    turn, before = line.recorded.turn, other.conversation.state.copy()
    said = await other.say(line.message, turn.number)
    other.keep(line.around)
    answer = [(turn.first_event, event) for event in said]
    return _Expected(answer, before, other.conversation.slots)


def keep(log: Turnlog, trial: Trial, as_: str, *, reason: str | None = None) -> Recorded:
    """Record a trial as a fork, in one commit that is durable on return; `--all` does not count it.

    as_: an id that was never used. Raises InvalidEvent for a used one, or if the fork would show
    redacted words, and records nothing.
    """
    check_id(as_)
    begin = HistoryContinued(trial.shared, reason=reason, trial=True)
    events = [begin, *(moved(event, trial.shared) for event in trial.events)]
    if not trial.shared:  # nothing to share
        return log.record(as_, *events, expected_version=0)
    if shows_hidden(log, trial.conversation, trial.shared):
        why = (
            f"would show words that were redacted after event {trial.shared}, so it cannot be kept"
        )
        raise InvalidEvent(as_, "conversation", why)
    fork = Fork(trial.conversation, event=trial.shared, events=events)
    return log.writer.perform(Request(as_, _refusing(as_), log.clock(), fork=fork))


def _refusing(id: str) -> Command:
    """Called only if the conversation exists already."""

    def command(state: State, past: Past) -> Sequence[Event]:
        raise InvalidEvent(id, "conversation", "exists already; keep the trial under another id")

    return command
