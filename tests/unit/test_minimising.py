"""Given a divergence, when its conversation is shortened, then the fewest messages show it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

import turnlog
from turnlog import (
    BotUttered,
    Event,
    MessageRedacted,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUttered,
)
from turnlog.bots import LoadedBot
from turnlog.errors import ConversationError
from turnlog.replay.trying.minimise import Minimised, minimise
from turnlog.replay.trying.trial import go_on

WORDS = ("tea", "cake", "bread", "milk", "salt")


def counting(fault: Any = None) -> LoadedBot:
    """Counts what was ordered. fault: when it begins to omit how much there is."""

    async def bot(conversation: Any, message: UserUttered) -> list[Event | str]:
        item = (message.text or "").split()[-1]
        basket = {**conversation.slots.get("basket", {})}
        basket[item] = basket.get(item, 0) + 1
        total = sum(basket.values())
        said = f"{item}: {basket[item]} of {total}"
        if fault is not None and fault(item, basket):
            said = f"{item}: I lost count"
        return [SlotSet("basket", basket), said]

    return LoadedBot(bot)


def record(log: turnlog.Turnlog, id: str, bot: LoadedBot, items: list[str]) -> None:
    """The conversation as that bot has it."""
    for item in items:
        log.record(id, UserUttered(f"one {item}"))
    for turn in go_on(log, id, bot, from_turn=1).turns:
        log.record(f"{id}-said", turn.message, *turn.actual)


@pytest.fixture
def log() -> Iterator[turnlog.Turnlog]:
    with turnlog.open("memory:") as log:
        yield log


RIGHT = counting()


def fault_of(random: Random) -> tuple[Any, int]:
    """A fault, and the smallest number of messages that shows it."""
    kind = random.choice(["total", "item", "two"])
    if kind == "total":
        least = random.randint(1, 6)
        return (lambda item, basket: sum(basket.values()) >= least), least
    least = random.randint(1, 3)
    if kind == "item":
        return (lambda item, basket: item == "tea" and basket["tea"] >= least), least
    return (lambda item, basket: item == "cake" and basket.get("tea", 0) >= least), least + 1


def test_a_bot_that_counts_is_minimised_to_the_exact_minimum(log: turnlog.Turnlog):
    exact: list[bool] = []
    shortened = 0
    for seed in range(30):
        random = Random(seed)
        fault, least = fault_of(random)
        items = random.choices(WORDS, k=8) + ["tea"] * 6 + ["cake"] + random.choices(WORDS, k=2)
        record(log, f"{seed}", RIGHT, items)
        found = minimise(log, f"{seed}-said", counting(fault), old=RIGHT)
        assert found.runs <= 25, (seed, found.runs)
        exact.append(len(found.lines) == least)
        shortened += found.of > least
    assert exact == [True] * 30
    assert shortened >= 15


def texts(found: Minimised) -> list[str | None]:
    return [line.message.text for line in found.lines]


def test_without_an_old_bot_the_record_counts_where_the_slots_are_the_same(log: turnlog.Turnlog):
    """The right answer on top of another basket is unknown."""
    faulty = counting(lambda item, basket: item == "cake")
    record(log, "anna", RIGHT, ["tea", "milk", "cake", "tea"])
    found = minimise(log, "anna-said", faulty)
    assert texts(found) == ["one tea", "one milk", "one cake"]
    assert texts(minimise(log, "anna-said", faulty, old=RIGHT)) == ["one cake"]


def test_without_an_old_bot_messages_that_set_nothing_are_omitted(log: turnlog.Turnlog):
    def shop(thanks: str) -> LoadedBot:
        def bot(conversation: Any, message: UserUttered) -> list[Event | str]:
            if message.text == "thanks":
                return [thanks]
            return [SlotSet("drink", message.text), "noted"]

        return LoadedBot(bot)

    record(log, "anna", shop("welcome"), ["x", "x"])
    for text in ("tea", "hello", "what?", "thanks"):
        said = [SlotSet("drink", text), BotUttered("noted")] if text != "thanks" else []
        log.record("bert", UserUttered(text), *(said or [BotUttered("welcome")]))
    found = minimise(log, "bert", shop("bye"))
    assert texts(found) == ["what?", "thanks"]
    assert found.of == 4
    assert found.turns == [3, 4]
    assert found.divergence.turn == 2


def test_redacted_messages_are_not_sent(log: turnlog.Turnlog):
    heard: list[str | None] = []

    def bot(conversation: Any, message: UserUttered) -> str:
        heard.extend(e.text for e in conversation.events() if isinstance(e, UserUttered))
        return "bye" if message.text == "thanks" else "noted"

    for text in ("my card is 4111", "hello", "thanks"):
        log.record("anna", UserUttered(text), BotUttered("noted"))
    log.record("anna", MessageRedacted(1))
    assert texts(minimise(log, "anna", LoadedBot(bot))) == ["thanks"]
    assert heard
    assert "4111" not in repr(heard)


def test_events_before_the_first_message_stay(log: turnlog.Turnlog):
    def bot(conversation: Any, message: UserUttered) -> str:
        return f"hello {conversation.slots.get('name', 'you')}"

    log.record("anna", SlotSet("name", "Anna", actor="system"), UserUttered("hi"), BotUttered("?"))
    found = minimise(log, "anna", LoadedBot(bot))
    assert [type(event).__name__ for event in found.events] == [
        "SlotSet", "UserUttered", "BotUttered",
    ]  # fmt: skip
    assert found.divergence.actual["text"] == "hello Anna"


def test_a_conversation_that_shows_nothing_is_refused(log: turnlog.Turnlog):
    record(log, "anna", RIGHT, ["tea"])
    with pytest.raises(ConversationError, match="no turn shows a divergence"):
        minimise(log, "anna-said", RIGHT)


def test_a_wrong_record_differs_from_a_repaired_bot(log: turnlog.Turnlog):
    wrong = counting(lambda item, basket: item == "tea" and basket["tea"] >= 2)
    record(log, "anna", wrong, ["tea", "cake", "tea", "milk"])
    with pytest.raises(ConversationError, match=r"if the record is wrong, name .* --old"):
        minimise(log, "anna-said", wrong)
    found = minimise(log, "anna-said", wrong, old=RIGHT)
    assert texts(found) == ["one tea", "one tea"]
    expected, actual = found.divergence.expected, found.divergence.actual
    assert (expected["text"], actual["text"]) == ("tea: 2 of 2", "tea: I lost count")


def test_two_equal_bots_show_nothing_of_a_wrong_record(log: turnlog.Turnlog):
    wrong = counting(lambda item, basket: True)
    record(log, "anna", wrong, ["tea"])
    with pytest.raises(ConversationError, match=r"no turn shows a divergence$"):
        minimise(log, "anna-said", wrong, old=wrong)


def test_a_group_is_named_by_the_beginning_of_its_key(log: turnlog.Turnlog):
    record(log, "anna", RIGHT, ["tea", "cake"])
    faulty = counting(lambda item, basket: item == "cake")
    assert texts(minimise(log, "anna-said", faulty, old=RIGHT, group="text Bot")) == ["one cake"]
    with pytest.raises(ConversationError, match="of the group 'slot'"):
        minimise(log, "anna-said", faulty, old=RIGHT, group="slot")


def test_live_tools_are_run(log: turnlog.Turnlog):
    async def bot(conversation: Any, message: UserUttered) -> str:
        if message.text == "hello":
            return "hello"
        return f"it is {await conversation.call('price')}"

    log.record("anna", UserUttered("hello"), BotUttered("hello"))
    log.record("anna", UserUttered("how much?"), ToolCalled("price"), ToolReturned(3))
    log.record("anna", BotUttered("it is 3"))
    with pytest.raises(ConversationError, match="no turn shows"):
        minimise(log, "anna", LoadedBot(bot))
    found = minimise(log, "anna", LoadedBot(bot, {"price": lambda: 4}), live=True)
    assert found.divergence.actual["text"] == "it is 4"
