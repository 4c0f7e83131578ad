"""A bot's answer at the end of a conversation, in your own tests; `turnlog minimise` writes such.

def test_tea():
    talk = [{"type": "UserUttered", "text": "a tea"}]
    check_answer("shop:bot", talk, [{"type": "BotUttered", "text": "tea is 3; 1 so far"}])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from turnlog.bots import Bot, LoadedBot, named
from turnlog.domain.events import Event
from turnlog.domain.plain import dumps
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.comparing.difference import difference
from turnlog.replay.record.turns import said_turns
from turnlog.replay.running.settings import ANSWER_SECONDS
from turnlog.replay.trying.oracle import Oracle
from turnlog.replay.trying.rehearsal import performed
from turnlog.replay.trying.results import RecordedResults
from turnlog.replay.trying.script import line
from turnlog.serializers.shared.plain import from_plain

Plain = Mapping[str, Any]
"""An event as JSON, as in docs/events.md."""


def check_answer(
    bot: Bot | str,
    talk: Iterable[Plain],
    expected: Iterable[Plain],
    *,
    conversation: str = "test",
    rules: Mapping[str, Any] | None = None,
    timeout: float = ANSWER_SECONDS,
) -> None:
    """Raise AssertionError unless the bot's answer to the last message is the expected one.

    The bot continues on its own from the first message. talk: the messages, each with its calls and
    their results, which answer equal calls. rules: permitted differences, as in a rules file.
    timeout: seconds for an answer.
    """
    __tracebackhide__ = True
    loaded = named(bot) if isinstance(bot, str) else LoadedBot(bot)
    allowed = msgspec.convert(rules or {}, Rules)
    actual = performed(_answer(loaded, list(map(_event, talk)), conversation, timeout), loaded)
    wanted = list(enumerate(map(_event, expected), 1))
    if (found := difference(wanted, actual, allowed)) is not None:
        what = " ".join(dict.fromkeys(part for part in (found.kind, found.path) if part))
        was, got = (dumps(value).decode() for value in (found.expected, found.actual))
        raise AssertionError(f"{what} differs\nexpected: {was}\ngot:      {got}")


def _event(plain: Plain) -> Event:
    return from_plain(dict(plain))


async def _answer(
    loaded: LoadedBot, talk: Sequence[Event], conversation: str, timeout: float
) -> list[Event]:
    every = list(said_turns(talk))
    first = every[0].turn.first_event if every else 1
    lines = [line(turn, turn.turn.message) for turn in every if turn.turn.message]
    results = RecordedResults(every)
    oracle = Oracle(conversation, loaded, None, talk[: first - 1], results, {}, Rules(), timeout)
    return (await oracle.run(loaded, lines)).answer
