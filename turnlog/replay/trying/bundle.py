"""A divergence for others: the shortest conversation that shows it, without personal words (ADR
21).

What people said, and what is known about them, is replaced word by word. The bot is asked again
after each attempt: a word stays only if the divergence disappears without it. A word that the log
knows as a value may stay only if someone permits it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from turnlog.bots import LoadedBot
from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event, ToolCalled, ToolReturned, UserUttered
from turnlog.domain.plain import dumps, to_plain
from turnlog.engine.log import Turnlog
from turnlog.errors import ConversationError
from turnlog.keys.opening import recorder
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.divergence import Divergence
from turnlog.replay.record.turns import RecordedTurn, recorded_turns
from turnlog.replay.running.many import replay
from turnlog.replay.running.settings import ANSWER_SECONDS
from turnlog.replay.trying.minimise import Minimised, beginning, minimise
from turnlog.replay.trying.oracle import KnownAnswer, Oracle, ShownDivergence
from turnlog.replay.trying.personal import personal_words
from turnlog.replay.trying.rehearsal import performed
from turnlog.replay.trying.results import RecordedResults
from turnlog.replay.trying.script import ScriptLine
from turnlog.replay.trying.shortest import fewest
from turnlog.replay.trying.stand_ins import StandIns, said_words, words

NAME = "bundle"
"""The conversation's id in a bundle."""

EPOCH = 946_684_800.0
"""The time of its first message: 1 January 2000, UTC. Later events keep their distance in
seconds.
"""


class Bundle(msgspec.Struct, frozen=True):
    """events: of the whole conversation, with the expected answers. kept: the words that stayed,
    because the divergence needs them. minimised: its source.
    """

    events: tuple[Event, ...]
    divergence: Divergence
    kept: tuple[str, ...]
    minimised: Minimised

    def as_jsonl(self) -> bytes:
        """The file: one line that `turnlog import` reads."""
        events = [to_plain(event) for event in self.events]
        return dumps({"format": "turnlog/1", "conversation": NAME, "events": events}) + b"\n"

    def as_dict(self) -> dict[str, Any]:
        """The document that `bundle --json` prints."""
        said = [event.text for event in self.events if isinstance(event, UserUttered)]
        return {
            "conversation": self.minimised.divergence.conversation,
            "turns": self.minimised.turns,
            "of": self.minimised.of,
            "messages": said,
            "kept": list(self.kept),
            "divergence": asdict(self.divergence),
        }


def bundle(
    log: Turnlog,
    id: str,
    bot: LoadedBot,
    *,
    old: LoadedBot | None = None,
    group: str | None = None,
    keep: Collection[str] = (),
    rules: Rules | None = None,
    timeout: float = ANSWER_SECONDS,
) -> Bundle:
    """The shortest conversation that shows a divergence, with stand-ins for words and numbers.

    keep: words that may stay although the log knows them as values. The other arguments are those
    of `minimise`. Nothing is stored. Raises ConversationError if a turn was redacted, if the
    divergence needs a word that may not stay, or if the other bot's words contain one.
    """
    conversation = log.conversation(id)
    _check_whole(conversation)
    found = minimise(log, id, bot, old=old, group=group, rules=rules, timeout=timeout)
    maker = _Maker(conversation, found, bot, old, rules or Rules(), timeout, keep)
    made = performed(maker.made(), bot, old)
    maker.check(made)
    _check_elsewhere(made, bot, rules or Rules(), timeout)
    return made


def _check_whole(conversation: Conversation) -> None:
    for turn in recorded_turns(conversation):
        if turn.reason == "redacted":
            why = f"is redacted in turn {turn.turn.number}, so it cannot be bundled"
            raise ConversationError(conversation.id, why)


def _check_elsewhere(made: Bundle, bot: LoadedBot, rules: Rules, timeout: float) -> None:
    """Raise ConversationError unless a log that imports it shows the same divergence."""
    with Turnlog(recorder("memory:")) as log:
        log.import_dialogue(Dialogue(NAME, made.events))
        [replayed] = replay(log, [NAME], bot, rules=rules, timeout=timeout)
    if made.divergence.group not in {found.group for found in replayed.divergences}:
        why = "does not show the divergence again when it is replayed: the bot is flaky"
        raise ConversationError(made.minimised.divergence.conversation, why)


class _Maker:
    """Asks the bots again and again, with stand-ins for more and more words."""

    def __init__(
        self,
        conversation: Conversation,
        found: Minimised,
        bot: LoadedBot,
        old: LoadedBot | None,
        rules: Rules,
        timeout: float,
        keep: Collection[str],
    ) -> None:
        self._found = found
        self._bot, self._old = bot, old
        self._rules, self._timeout = rules, timeout
        self._id = conversation.id
        self._turns = list(recorded_turns(conversation))
        self._begin = beginning(conversation)
        self._personal = personal_words(self._id, conversation.events())
        self._allowed = {word for text in keep for word in words(text)}
        self._words = self._ordered()
        self._time = next((line.message.timestamp for line in found.lines), None)

    def _ordered(self) -> list[str]:
        """The words that can be replaced, the most important first."""
        found = dict.fromkeys(word for event in self._inputs() for word in said_words(event))
        return sorted(found, key=lambda word: word not in self._personal)

    def _inputs(self) -> Iterable[Event]:
        yield from self._begin
        for line in self._found.lines:
            yield from (line.message, *line.around)
        for turn in self._turns:
            for call, returned in turn.calls:
                yield from [call] if returned is None else [call, returned]
        if self._old is None:
            yield from self._found.lines[-1].recorded.turn.events[1:]

    async def made(self) -> Bundle:
        """First without the events before the first message, as far as possible; then without the
        words.
        """
        if not await self._shows(self._words):
            why = "does not show the divergence under another id, at another time"
            raise ConversationError(self._id, f"{why}, so it cannot be bundled")
        self._begin = await fewest(self._begin, self._begins_with)
        kept = await fewest(self._words, self._shows)
        shown = await self._shown(kept)
        assert shown is not None, "it is shown with these words"
        events = tuple(replace(event, extra=None) for event in shown.events)
        return Bundle(events, shown.divergence, tuple(sorted(kept)), self._found)

    async def _begins_with(self, begin: Sequence[Event]) -> bool:
        before, self._begin = self._begin, list(begin)
        try:
            return await self._shows(self._words)
        finally:
            self._begin = before

    async def _shows(self, kept: Sequence[str]) -> bool:
        return await self._shown(kept) is not None

    async def _shown(self, kept: Collection[str]) -> ShownDivergence | None:
        """With stand-ins for all other words, if it still shows the divergence."""
        stand_ins = StandIns(self._words, {*kept})
        shown = await self._oracle(stand_ins).shown(self._lines(stand_ins))
        wanted = self._found.divergence.group
        if shown is None or shown.divergence.group not in (wanted, stand_ins.text(wanted)):
            return None
        return shown

    def _oracle(self, stand_ins: StandIns) -> Oracle:
        known: dict[int, KnownAnswer] = {}
        if self._old is None:
            last = self._found.lines[-1].recorded.turn
            events = tuple(self._replaced(event, stand_ins) for event in last.events[1:])
            known[last.number] = KnownAnswer(last.first_event, events)
        begin = [self._replaced(event, stand_ins) for event in self._begin]
        results = RecordedResults(self._turn(turn, stand_ins) for turn in self._turns)
        return Oracle(NAME, self._bot, self._old, begin, results, known, self._rules, self._timeout)

    def _lines(self, stand_ins: StandIns) -> list[ScriptLine]:
        lines: list[ScriptLine] = []
        for line in self._found.lines:
            message = self._replaced(line.message, stand_ins)
            assert isinstance(message, UserUttered)
            around = [self._replaced(event, stand_ins) for event in line.around]
            lines.append(ScriptLine(message, line.recorded, around))
        return lines

    def _turn(self, turn: RecordedTurn, stand_ins: StandIns) -> RecordedTurn:
        calls: list[tuple[ToolCalled, ToolReturned | None]] = []
        for call, returned in turn.calls:
            made = self._replaced(call, stand_ins)
            gave = None if returned is None else self._replaced(returned, stand_ins)
            calls.append((made, gave))  # type: ignore[arg-type]  # of the same types
        return turn._replace(calls=calls)

    def _replaced(self, event: Event, stand_ins: StandIns) -> Event:
        changed = stand_ins.event(event)
        if changed.timestamp is None or self._time is None:
            return replace(changed, timestamp=None)
        return replace(changed, timestamp=EPOCH + round(changed.timestamp - self._time))

    def check(self, made: Bundle) -> None:
        """Raise ConversationError if it contains a word that may be personal."""
        held = {word for event in made.events for word in said_words(event)}
        if left := sorted((held & self._personal) - self._allowed):
            words = ", ".join(map(repr, left))
            why = f"does not show the divergence without {words}, which may identify a person"
            raise ConversationError(self._id, f"{why}; permit it with --keep if it does not")
