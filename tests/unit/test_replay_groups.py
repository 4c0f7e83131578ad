"""Differences with one cause share a group, whatever numbers and names are in them."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

import turnlog
from turnlog import (
    ActionExecuted,
    BotUttered,
    Entity,
    Event,
    Intent,
    MessageUnderstood,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUttered,
)
from turnlog.bots import LoadedBot
from turnlog.replay import Rules, replay
from turnlog.replay.grouping.groups import DivergenceGroup, grouped
from turnlog.replay.grouping.wording import difference, saying

NAMES = ["Anna", "Bo", "Chiara", "Émile", "Zoë O'Hara", "Nguyễn Văn An", "van der Berg", "李雷"]
PLACES = ["Roma", "Luigi's", "The Old Mill", "Café Zehn", "Nº 7", "trattoria da enzo"]


def groups(recorded: dict[str, list[Event]], bot: Any, **rules: Any) -> list[DivergenceGroup]:
    with turnlog.open("memory:") as log:
        for id, events in recorded.items():
            log.record(id, *events)
        found = replay(log, recorded, LoadedBot(bot), rules=Rules(**rules))
        return grouped(divergence for one in found for divergence in one.divergences)


class Booking:
    """A made-up restaurant, where each guest has a name, a place, an order and a time."""

    def __init__(self, number: int) -> None:
        chance = random.Random(number)
        self.id = f"{chance.randrange(10**6)}"
        self.name, self.place = chance.choice(NAMES), chance.choice(PLACES)
        self.people, self.total = chance.randrange(1, 12), f"{chance.randrange(9, 99)}.50"
        self.time = f"{chance.randrange(17, 23)}:{chance.choice(['00', '15', '30'])}"

    def recorded(self) -> list[Event]:
        return [
            UserUttered(f"a table for {self.people} at {self.place}, I'm {self.name}"),
            *self.set(), *self.asked(),
            UserUttered(f"at {self.time}"),
            *self.checked(), ToolReturned({"order": self.id}, "1", "check"), *self.confirmed(),
            UserUttered("thanks"), BotUttered(f"See you at {self.time}, {self.name}!"),
        ]  # fmt: skip

    def set(self, people: Any = None) -> list[Event]:
        return [SlotSet("people", people or self.people), SlotSet("guest", self.name)]

    def asked(self) -> list[BotUttered]:
        return [BotUttered(f"For {self.people} at {self.place}: what time, {self.name}?")]

    def checked(self, time: str | None = None) -> list[Event]:
        return [ToolCalled("check", {"time": time or self.time, "people": self.people}, "1")]

    def confirmed(self, please: str = "") -> list[Event]:
        said = (
            f"Your order {self.id} for {self.people} is confirmed, {please}it costs {self.total}."
        )
        return [BotUttered(said)]

    def answer(self, turn: int, cause: str) -> list[Event]:
        if turn == 1:
            is_wrong = cause == "slot"
            return [*self.set(self.people + 1 if is_wrong else None), *self.asked()]
        if turn == 2:
            time = "12:00" if cause == "argument" else None
            please = "and " if cause == "wording" else ""
            return [*self.checked(time), *self.confirmed(please)]
        if cause == "exception":
            raise KeyError(self.name)
        if cause == "lost":
            return []
        return [BotUttered(f"See you at {self.time}, {self.name}!")]


CAUSES = {"slot": 40, "wording": 35, "exception": 25, "argument": 20, "lost": 15}


def planted(causes: dict[str, int]) -> tuple[dict[str, Booking], dict[str, str]]:
    """Bookings, and in which of them the bot fails."""
    bookings = {f"c{number}": Booking(number) for number in range(300)}
    ids = random.Random(7).sample(sorted(bookings), sum(causes.values()))
    each = [cause for cause, count in causes.items() for _ in range(count)]
    return bookings, dict(zip(ids, each, strict=True))


@pytest.mark.parametrize("causes", [dict([*CAUSES.items()][:3]), CAUSES], ids=["three", "five"])
def test_there_are_as_many_groups_as_causes(causes: dict[str, int]) -> None:
    bookings, faults = planted(causes)

    async def bot(conversation: Any, message: UserUttered) -> list[Event]:
        booking, cause = bookings[conversation.id], faults.get(conversation.id, "")
        return booking.answer(conversation.turn, cause)

    found = groups({id: booking.recorded() for id, booking in bookings.items()}, bot)
    assert sorted(group.conversations for group in found) == sorted(causes.values())
    assert {group.example.kind for group in found} == {
        kind
        for cause, kind in [
            ("slot", "slot"), ("wording", "text"), ("exception", "error"),
            ("argument", "tool_arguments"), ("lost", "missing"),
        ] if cause in causes
    }  # fmt: skip
    for group in found:
        shown = json.dumps(group.group, ensure_ascii=False)
        assert not any(character.isdigit() for character in shown)


def test_a_bug_behind_another_in_every_conversation_is_found_in_the_same_run() -> None:
    """With the first difference only, the second would show once the first's wording is masked."""
    bookings, _ = planted({})

    async def bot(conversation: Any, message: UserUttered) -> list[Event]:
        booking, turn = bookings[conversation.id], conversation.turn
        answer = booking.answer(turn, "wording")
        if turn == 1:
            return [*booking.set(), BotUttered(f"Well. {booking.asked()[0].text}")]
        return [] if turn == 3 and booking.people % 2 else answer

    found = groups({id: booking.recorded() for id, booking in bookings.items()}, bot)
    odd = sum(booking.people % 2 for booking in bookings.values())
    counted = sorted((group.example.turn, group.conversations) for group in found)
    assert counted == [(1, 300), (2, 300), (3, odd)]


ONE_CAUSE = [
    [("Hello Anna.", "Hi Anna."), ("Hello Bo.", "Hi Bo."), ("Hello Anna Maria.", "Hi Anna Maria.")],
    [("It costs 3 euro.", "It costs 4 euro."), ("It costs 30 euro.", "It costs 2,000 euro.")],
    [("ask a-77 now", "ask b-9 now"), ("ask 12f4-ab3 now", "ask 0000-00 now")],
    [("When?", "WHEN?"), ("For how many?", "for how many?")],
    [("Is it ok?", "Is it ok ?"), ("a  b", "a b")],
    [("What day?", "What day?!"), ("All done.", "All done.!")],
    [("Your table is booked.", ""), ("Your table is booked.", "")],
    [("Write to a@b.org please", "Write to c@d.net please"),
     ("Write to x.y@z.org please", "Write to me@d.net please")],
    [("There are Roma, Luigi and Mario.", "Here are Roma, Luigi and Mario."),
     ("There are Roma and Mario.", "Here are Roma and Mario.")],
    [("See https://a.org/1 for it", "Look at https://a.org/1 for it"),
     ("See https://b.org/x/y?z=2 for it", "Look at https://b.org/x/y?z=2 for it")],
    [("One moment, please wait here", "One moment"), ("Your card is blocked", "Your card")],
]  # fmt: skip


@pytest.mark.parametrize("pairs", ONE_CAUSE)
def test_texts_with_the_same_difference_have_one_wording(pairs: list[tuple[str, str]]) -> None:
    wordings = {difference(one, other) for one, other in pairs}
    assert len(wordings) == 1, wordings


def test_texts_with_other_differences_have_other_wordings() -> None:
    wordings = [difference(*pairs[0]) for pairs in ONE_CAUSE]
    wordings += [
        difference("You have 3 items", "You have 4 items"),
        difference("The table is at 7", "The table is at 8"),
        difference("Hello Anna.", "Hey Anna."),
        difference("Shall I book it?", "Shall I cancel it?"),
        difference("", "Hello"),
    ]
    assert len(set(wordings)) == len(wordings)


@pytest.mark.parametrize("count", [10, 100_000])
def test_wordings_are_short_however_long_the_texts(count: int) -> None:
    one, other = "word and " * count, "other or " * count
    assert len(difference(one, other)) <= 120
    assert len(saying(one)) <= 120


BEFORE = MessageUnderstood(Intent("book"), (Entity("day", "today"), Entity("time", "7 pm")))


@pytest.mark.parametrize(
    ("recorded", "actual", "key"),
    [
        (SlotSet("people", 2), SlotSet("people", 3), "slot SlotSet people value"),
        (SlotSet("people", 2), SlotSet("people", "3"), "slot SlotSet people value"),
        (SlotSet("people", [2, 3]), SlotSet("people", [2, 4]), "slot SlotSet people value"),
        (SlotSet("a", {"x": 1}), SlotSet("a", {"x": 2}), "slot SlotSet a value.x"),
        (SlotSet("a", {"x": 1}), SlotSet("a", {}), "slot SlotSet a value.x → nothing"),
        (SlotSet("a", 1), SlotSet("b", 1), "slot SlotSet a → SlotSet b"),
        (ActionExecuted("ask"), ActionExecuted("say"), "action → ActionExecuted say"),
        (ToolCalled("find", {"a": 1}, "1"), ToolCalled("seek", {"a": 1}),
         "tool_call → ToolCalled seek"),
        (ToolCalled("find", {"a": 1}, "1"), ToolCalled("find", {"a": 2}),
         "tool_arguments ToolCalled find arguments.a"),
        (BEFORE, MessageUnderstood(Intent("bye"), BEFORE.entities), "intent → bye"),
        (BEFORE, MessageUnderstood(Intent("book"), BEFORE.entities[1:]), "entity - day"),
        (BEFORE, MessageUnderstood(Intent("book"), (BEFORE.entities[0], Entity("time", "8 pm"))),
         "entity time"),
        (BotUttered("x", {"buttons": [{"title": "a"}]}),
         BotUttered("x", {"buttons": [{"title": "b"}]}), "text BotUttered data.buttons.title"),
    ],
)  # fmt: skip
def test_the_key_has_names_and_places_and_no_values(
    recorded: Event, actual: Event, key: str
) -> None:
    async def bot(conversation: Any, message: UserUttered) -> list[Event]:
        return [actual, BotUttered("ok")]

    [found] = groups({"c": [UserUttered("x"), recorded, BotUttered("ok")]}, bot)
    assert found.group == key


MANY = ["How many people are you?", "Sorry, for which day?", "See you.", "I have it for you at 7"]


@pytest.mark.parametrize(
    ("recorded", "wrong", "key"),
    [
        ([MessageUnderstood(Intent(name)) for name in ("book", "bye", "ask")],
         MessageUnderstood(Intent("nlu_fallback")), "intent → nlu_fallback"),
        ([ActionExecuted(name) for name in ("book", "bye", "ask")],
         ActionExecuted("fallback"), "action → ActionExecuted fallback"),
        ([ToolCalled(name, {"at": name}, "1") for name in ("book", "find", "ask")],
         ToolCalled("search"), "tool_call → ToolCalled search"),
        ([BotUttered(text) for text in MANY],
         BotUttered("Sorry, I did not get it."), "text BotUttered → “Sorry, I did not get it.”"),
        ([BotUttered(text) for text in MANY], BotUttered(""), "text BotUttered → “”"),
    ],
)  # fmt: skip
def test_a_bot_with_one_fallback_is_one_group(
    recorded: list[Event], wrong: Event, key: str
) -> None:
    async def bot(conversation: Any, message: UserUttered) -> list[Event]:
        return [wrong, ActionExecuted("end")]

    asked = {f"c{n}": [UserUttered("x"), e, ActionExecuted("end")] for n, e in enumerate(recorded)}
    assert [group.group for group in groups(asked, bot)] == [key]


def test_a_bot_that_says_everything_twice_is_one_group() -> None:
    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        return [conversation.id, conversation.id]

    recorded: dict[str, list[Event]] = {t: [UserUttered("x"), BotUttered(t)] for t in MANY}
    assert [g.group for g in groups(recorded, bot)] == ["extra BotUttered again"]


def test_a_repeated_change_in_a_text_is_shown_once() -> None:
    one = "It is 3 for a tea, it is 4 for a cake, it is 5 for both, it is 2 for none of them"
    assert difference(one, one.replace("it is", "that is")) == "“it” → “that”"


def test_a_long_preamble_before_texts_of_any_length_is_one_wording() -> None:
    notice = "Please note that calls may be recorded for training and quality by our team."
    texts = ["Bye.", "See you.", "What time?", "It's 5.", "Your table is booked for 4."]
    assert {difference(text, f"{notice} {text}") for text in texts} == {f"“” → “{notice}”"}


def test_masked_text_is_not_in_a_key() -> None:
    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        return [f"Ref {message.text}zz: not found"]

    recorded: dict[str, list[Event]] = {
        word: [UserUttered(word), BotUttered(f"Ref {word}: found")] for word in ("abc", "xyz")
    }
    assert len(groups(recorded, bot, masks=["Ref [a-z]+"])) == 1


def test_an_exception_is_grouped_by_the_line_of_the_bot() -> None:
    def price(item: str) -> int:
        return {"tea": 3}[item]

    def stock(item: str) -> int:
        return {"tea": 3}[item]

    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        item = (message.text or "").split()[-1]
        return [str(price(item) if "price" in (message.text or "") else stock(item))]

    asked = [f"{what} of {item}" for what in ("price", "stock") for item in ("cake", "pie", "jam")]
    found = groups({text: [UserUttered(text), BotUttered("3")] for text in asked}, bot)
    assert [group.conversations for group in found] == [3, 3]
    assert sorted(group.group.partition(" in ")[2].partition(":")[0] for group in found) == [
        "price", "stock",
    ]  # fmt: skip


def test_values_that_the_turn_sets_or_passes_to_a_tool_split_no_group():
    def recorded(pizza: str, cost: int) -> list[Event]:
        return [
            UserUttered(f"a {pizza}"), SlotSet("pizza", pizza), ToolCalled("price", {"of": pizza}),
            ToolReturned(cost), BotUttered(f"large {pizza} is {cost} euros"),
        ]  # fmt: skip

    async def bot(conversation: Any, message: UserUttered) -> list[Event | str]:
        pizza = (message.text or "").split()[-1]
        cost = await conversation.call("price", of=pizza)
        return [SlotSet("pizza", pizza), f"large {pizza} is {cost * 2} euros"]

    found = groups({"eve": recorded("margherita", 8), "mia": recorded("funghi", 9)}, bot)
    assert [(group.group, group.turns) for group in found] == [("text BotUttered “large is …”", 2)]


def test_a_value_in_both_texts_counts_as_a_word_of_both():
    assert difference("tea is 3; 1 so far", "tea is 3; 1 in your basket", {"tea"}) == (
        "“so far” → “in your basket”"
    )
