"""Redacted or erased content reaches no bot in a replay and no report; such turns are counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import turnlog
from tests.redacted import KINDS, PIN, REPEAT, SAID, leaks, record_all, seen
from turnlog import Turnlog
from turnlog.bots import LoadedBot
from turnlog.domain import events as e
from turnlog.replay import ReplayedConversation, Rules, replay
from turnlog.replay.runs.run import RunHead
from turnlog.reports.junit import junit
from turnlog.reports.replay import html


class Bot:
    """Repeats what was redacted, and keeps what it hears."""

    def __init__(self, *answer: Any) -> None:
        self.heard: list[str] = []
        self.messages: list[str | None] = []
        self._answer = answer

    async def __call__(self, conversation: Any, message: e.UserUttered) -> list[Any]:
        self.messages.append(message.text)
        self.heard += [seen(conversation).decode(), repr(message)]
        return list(self._answer)


def replayed(log: Turnlog, bot: Any, *ids: str, **rules: Any) -> list[ReplayedConversation]:
    return list(replay(log, ids, LoadedBot(bot, name="bot"), rules=Rules(**rules)))


def reports(found: list[ReplayedConversation]) -> str:
    lines = [msgspec.json.encode(divergence) for one in found for divergence in one.divergences]
    pages = [junit(found, RunHead(bot="bot")), html(found, RunHead(bot="bot"))]
    return b"\n".join([*lines, *pages]).decode()


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as opened:
        yield opened


CARD = [
    e.UserUttered("my card is 4111"), e.SlotSet("card", "4111"), e.BotUttered("Card 4111 noted"),
    e.UserUttered("what is open?"), e.BotUttered("Nothing"),
    e.UserUttered("start again"), e.SlotsReset(), e.BotUttered("Hello"),
    e.UserUttered("bye"), e.BotUttered("Bye"),
]  # fmt: skip


@pytest.mark.parametrize("redacted", [(1,), (1, 3), (3, 1)])
def test_turns_that_build_on_a_hidden_value_are_not_sent_to_the_bot(
    log: Turnlog, redacted: tuple[int, ...]
) -> None:
    log.record("c", *CARD)
    log.record("c", *(e.MessageRedacted(number) for number in redacted))
    bot = Bot("Card 4111 noted")
    found = replayed(log, bot, "c", slots=("card",))
    assert bot.messages == ["bye"]
    assert (found[0].turns, found[0].redacted) == (1, 3)
    assert "4111" not in reports(found) + "".join(bot.heard)


def test_a_value_that_is_set_again_is_no_longer_missing(log: Turnlog) -> None:
    log.record("c", *CARD[:3], e.MessageRedacted(1))
    log.record("c", e.UserUttered("it is 4222"), e.SlotSet("card", "4222"), e.BotUttered("4222"))
    log.record("c", e.UserUttered("thanks"), e.BotUttered("Bye"))
    bot = Bot("Bye")
    [found] = replayed(log, bot, "c")
    assert (bot.messages, found.redacted) == (["thanks"], 2)  # the second heard "Card 4111 noted"
    assert found.divergences == ()


def test_a_hidden_result_of_a_later_turn_answers_no_call(log: Turnlog) -> None:
    log.record("c", e.UserUttered("who am I?"), e.ToolCalled("look_up", {"of": "me"}, "c1"))
    log.record("c", e.BotUttered("One moment"), e.UserUttered("well?"))
    log.record("c", e.ToolReturned({"name": "Xanthippe"}, "c1", "look_up"))
    log.record("c", e.BotUttered("You are Xanthippe"))
    log.record("c", e.UserUttered("thanks"), e.BotUttered("Bye"), e.MessageRedacted(5))
    heard: list[Any] = []

    async def bot(conversation: Any, message: e.UserUttered) -> list[str]:
        heard.append((message.text, await conversation.call("look_up", of="me")))
        return ["Bye"]

    found = replayed(log, bot, "c")
    assert leaks(repr(heard) + reports(found)) == []
    assert found[0].redacted >= 2


def test_no_report_shows_a_hidden_word_that_the_bot_knows_from_elsewhere(log: Turnlog) -> None:
    log.record("c", e.UserUttered(SAID), e.BotUttered("Hello"), e.MessageRedacted(1))
    log.record("c", e.UserUttered("bye"), e.BotUttered("Bye"))
    fails = Bot(e.BotFailed("error", f"ValueError: {PIN}", extra={"traceback": SAID}))
    knows = Bot(REPEAT, e.SlotSet("pin", PIN), e.ToolCalled("check", {"pin": PIN}))
    for bot in (fails, knows):
        found = replayed(log, bot, "c")
        assert found[0].divergences
        assert leaks(reports(found)) == []


@pytest.mark.parametrize("kind", [*KINDS, "naif", "rasa"])
def test_no_redacted_word_reaches_the_bot_or_a_report(
    log: Turnlog, tmp_path: Path, kind: str
) -> None:
    record_all(log, tmp_path)
    bot = Bot(REPEAT, e.SlotSet("pin", PIN))
    found = replayed(log, bot, kind)
    assert leaks("".join(bot.heard)) == []
    assert leaks(reports(found)) == []
    [one] = found
    counted = one.turns + one.redacted + one.unanswered + one.taken_back + one.foreign
    assert counted == log.conversation(kind).turn
    assert one.redacted >= 1
    assert len(bot.messages) == one.turns


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"session"}))
def test_forks_show_no_more_than_their_origin(log: Turnlog, kind: str) -> None:
    log.record("before", e.UserUttered("hello"), e.BotUttered("Hello"))
    KINDS[kind](log, kind)
    log.fork(kind, as_="fork", turn=log.conversation(kind).turn)
    log.record("fork", e.UserUttered("and now?"), REPEAT)
    bot = Bot(REPEAT)
    found = replayed(log, bot, "fork")
    assert leaks("".join(bot.heard) + reports(found)) == []


def test_a_fork_of_a_deleted_conversation_is_not_sent_to_the_bot_where_its_past_is_hidden(
    log: Turnlog,
) -> None:
    log.record("c", *CARD)
    log.fork("c", as_="fork", turn=2)
    log.record("fork", e.UserUttered("and now?"), e.BotUttered("I use it"))
    log.record("fork", e.UserUttered("thanks"), e.SlotsReset(), e.BotUttered("Bye"))
    log.record("fork", e.UserUttered("hello"), e.BotUttered("Hello"))
    log.delete("c")
    bot = Bot("Hello")
    found = replayed(log, bot, "fork")
    assert bot.messages == ["hello"]
    assert found[0].redacted == 4
    assert "4111" not in reports(found) + "".join(bot.heard)


@pytest.mark.parametrize("sealed", [False, True])
def test_erased_turns_are_counted_like_hidden_ones(tmp_path: Path, sealed: bool) -> None:
    keys = f"sqlite:///{tmp_path / 'keys.db'}" if sealed else None
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}", keys=keys) as log:
        log.record("c", e.UserUttered("hello"), e.BotUttered("Hello"))
        log.record("c", e.UserUttered("my card is 4111"))
        log.record("c", e.SlotSet("card", "4111", cause=3), e.BotUttered("Card 4111 noted"))
        log.record("c", e.UserUttered("what is open?"), e.BotUttered("Nothing"))
        log.record("c", e.UserUttered("start again"), e.SlotsReset(), e.BotUttered("Hello"))
        log.record("c", e.UserUttered("bye"), e.BotUttered("Bye"))
        log.record("c", e.MessageRedacted(3))
        log.erase("c", event=3, reason="asked", actor="olga")
        bot = Bot("Bye")
        found = replayed(log, bot, "c")
    assert bot.messages == ["hello", "bye"]
    assert (found[0].turns, found[0].redacted) == (2, 3)
    assert "4111" not in reports(found) + "".join(bot.heard)
