"""The shortest conversation that still shows a divergence.

Each choice of messages is a free run: the bot answers after what it said itself. The expected
answer is the old bot's in a free run of the same messages. Without an old bot it is the recorded
answer, and only at moments at which the bot is asked with the same slots and answers as in the
replay; at any other moment the right answer is unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from turnlog.bots import LoadedBot
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, HistoryContinued, UserUttered
from turnlog.engine.log import Turnlog
from turnlog.errors import ConversationError
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.divergence import Divergence
from turnlog.replay.grouping.groups import begun
from turnlog.replay.record.turns import RecordedTurn, recorded_turns
from turnlog.replay.running.many import replay
from turnlog.replay.running.settings import ANSWER_SECONDS, ReplaySettings
from turnlog.replay.trying.oracle import KnownAnswer, Oracle, ShownDivergence
from turnlog.replay.trying.past import earlier
from turnlog.replay.trying.rehearsal import Rehearsal, performed
from turnlog.replay.trying.results import RecordedResults
from turnlog.replay.trying.script import ScriptLine, line, sayable
from turnlog.replay.trying.shortest import ShortestChoice
from turnlog.replay.trying.trial import go_on, recorded_results


class Minimised(msgspec.Struct, frozen=True):
    """The shortest choice of a conversation's messages that shows a divergence.

    lines: the messages. of: how many there were up to the recorded divergence. runs: how many
    choices were tried. divergence: at the last turn, counted in the choice. begin: the events
    before the first message. events: the whole conversation, with the expected answers. actual: the
    same as the bot continues on its own.
    """

    lines: tuple[ScriptLine, ...]
    of: int
    runs: int
    divergence: Divergence
    begin: tuple[Event, ...]
    events: tuple[Event, ...]
    actual: tuple[Event, ...]

    @property
    def turns(self) -> list[int]:
        """The recorded turns of the remaining messages."""
        return [line.recorded.turn.number for line in self.lines]

    def as_dict(self) -> dict[str, Any]:
        """The document that `minimise --json` prints."""
        return {
            "conversation": self.divergence.conversation,
            "turns": self.turns,
            "messages": [line.message.text for line in self.lines],
            "of": self.of,
            "runs": self.runs,
            "divergence": asdict(self.divergence),
        }


def minimise(
    log: Turnlog,
    id: str,
    bot: LoadedBot,
    *,
    old: LoadedBot | None = None,
    group: str | None = None,
    rules: Rules | None = None,
    timeout: float = ANSWER_SECONDS,
    live: bool = False,
) -> Minimised:
    """The shortest choice of messages that shows a divergence of the group at its last turn.

    No single message can be removed from it. old: the bot whose answers are right; without it the
    record's are. A bot that answers as recorded is compared with the old one from the beginning.
    group: its name or the beginning of it, by default the first divergence's. live: calls run the
    bots' tools instead of returning recorded results. Nothing is stored. Runs its own event loop.
    Raises ConversationError if no turn diverges in this way, or if a free run of all messages does
    not show it.
    """
    settings = ReplaySettings(rules or Rules(), timeout, tools="live" if live else "record")
    found = _found(log, id, bot, old, group, settings)
    conversation = log.conversation(id)
    results = None if live else recorded_results(conversation)

    async def search() -> Minimised:
        known: dict[int, KnownAnswer] = {}
        if old is None:
            answering = _Answering(log, conversation, bot, results, timeout)
            known = await answering.known({each.turn for each in found})
        begin = beginning(conversation)
        oracle = Oracle(id, bot, old, begin, results, known, settings.rules, timeout)
        turns = [t for t in sayable(conversation) if t.turn.number <= found[0].turn]
        return await _shortest(oracle, [line(turn, message(turn)) for turn in turns], found[0])

    return performed(search(), bot, old)


def _found(
    log: Turnlog,
    id: str,
    bot: LoadedBot,
    old: LoadedBot | None,
    group: str | None,
    settings: ReplaySettings,
) -> list[Divergence]:
    """The divergences of one group, from the record or else from the old bot.

    Raises ConversationError if there are none.
    """
    rules, timeout, tools = settings.rules, settings.timeout, settings.tools
    [replayed] = replay(log, [id], bot, rules=rules, timeout=timeout, tools=tools)
    found = _of_group(replayed.divergences, group)
    if not found and old is not None:
        found = _of_group(_between(log, id, bot, old, settings), group)
    if not found:
        of_group = "" if group is None else f" of the group {group!r}"
        hint = "" if old else "; if the record is wrong, name a bot that is right with --old"
        raise ConversationError(id, f"no turn shows a divergence{of_group}{hint}")
    return found


def _of_group(divergences: Sequence[Divergence], name: str | None) -> list[Divergence]:
    """Those of the group with this name or beginning, by default of the first group."""
    keys = begun((each.group for each in divergences), name or "")
    return [each for each in divergences if each.group in keys[:1]]


def _between(
    log: Turnlog, id: str, bot: LoadedBot, old: LoadedBot, settings: ReplaySettings
) -> list[Divergence]:
    """Where two bots that continue on their own from the beginning differ: the record may
    be wrong.
    """
    first = next((turn.turn.number for turn in sayable(log.conversation(id))), None)
    if first is None:
        return []
    tried = go_on(
        log, id, bot, from_turn=first, beside=old, rules=settings.rules,
        timeout=settings.timeout, live=settings.tools == "live",
    )  # fmt: skip
    return [turn.divergence for turn in tried.turns if turn.divergence is not None]


def message(turn: RecordedTurn) -> UserUttered:
    """The recorded turn of a divergence whose message can be sent."""
    assert turn.turn.message is not None
    return turn.turn.message


def beginning(conversation: Conversation) -> list[Event]:
    """The events before the first message, as views show them."""
    first = next(recorded_turns(conversation)).turn.first_event
    events = (event for _, event in zip(range(first - 1), conversation.events(), strict=False))
    return [event for event in events if not isinstance(event, HistoryContinued)]


async def _shortest(oracle: Oracle, said: Sequence[ScriptLine], wanted: Divergence) -> Minimised:
    last: ShownDivergence | None = None

    async def shows(lines: Sequence[ScriptLine]) -> bool:
        nonlocal last
        shown = await oracle.shown(lines)
        if shown is None or shown.divergence.group != wanted.group:
            return False
        last = shown
        return True

    choice = ShortestChoice(said, shows)
    lines = await choice.find()
    if lines is None or last is None:
        raise ConversationError(wanted.conversation, _unshown(wanted, oracle))
    found = replace(last.divergence, link=wanted.link)
    events, actual = tuple(last.events), tuple(last.actual)
    return Minimised(
        tuple(lines), len(said), choice.asked, found, tuple(oracle.begin), events, actual
    )


def _unshown(wanted: Divergence, oracle: Oracle) -> str:
    """Why there is nothing to begin with."""
    alone = (
        f"a bot that continues on its own from the beginning does not show at turn {wanted.turn}"
    )
    hint = "" if oracle.old is not None else "; name the bot that is right with --old"
    return f"{alone} what the replay shows there: {wanted.group}{hint}"


class _Answering:
    """Asks the bot at the recorded moments."""

    def __init__(
        self,
        log: Turnlog,
        conversation: Conversation,
        bot: LoadedBot,
        results: RecordedResults | None,
        timeout: float,
    ) -> None:
        self._log = log
        self._conversation = conversation
        self._bot = bot
        self._results = results
        self._timeout = timeout

    async def known(self, turns: Collection[int]) -> dict[int, KnownAnswer]:
        """The recorded turns, with the bot's answers there, by turn."""
        every = [turn for turn in sayable(self._conversation) if turn.turn.number in turns]
        return {turn.turn.number: await self._known(turn) for turn in every}

    async def _known(self, recorded: RecordedTurn) -> KnownAnswer:
        turn = recorded.turn
        past = earlier(self._log, self._conversation, turn.first_event - 1)
        slots = dict(past.slots)
        rehearsal = Rehearsal(past, self._bot, self._results, timeout=self._timeout)
        await rehearsal.begin()
        actual = await rehearsal.say(message(recorded), turn.number)
        return KnownAnswer(turn.first_event, turn.events[1:], slots, tuple(actual))
