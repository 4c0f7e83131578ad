"""Why: the chain has the events that led to something, and no others."""

from __future__ import annotations

import pytest

import turnlog
from turnlog import (
    ActionExecuted,
    BotUttered,
    ConversationRestarted,
    EntitiesAdded,
    Entity,
    Intent,
    MessageRedacted,
    MessageUnderstood,
    Slot,
    SlotsDeclared,
    SlotSet,
    SlotsReset,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.audit.why import why, why_event
from turnlog.domain import events as e
from turnlog.encoding import rows
from turnlog.errors import ConversationError, OutOfRange

FOUR = MessageUnderstood(Intent("inform"), (Entity("people", 4), Entity("day", "Monday")))
PLACE = {"table": {"number": 49, "free": [18, 19]}}


def chain(slot: str | int, *events: e.Event) -> list[tuple[str, int]]:
    with turnlog.open("memory:") as log:
        log.record("c", *events)
        conversation = log.conversation("c")
        links = why_event(conversation, slot) if isinstance(slot, int) else why(conversation, slot)
        return [(link.role, link.event) for link in links]


SAID = UserUttered("we are four, on Monday")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([SAID, SlotSet("x", 4)], [("said", 1), ("set", 2)]),
        ([SAID, FOUR, SlotSet("x", 4)], [("said", 1), ("understood", 2), ("set", 3)]),
        ([SAID, FOUR, SlotSet("x", "four")], [("said", 1), ("set", 3)]),
        ([SAID, FOUR, SlotSet("x", 4.0)], [("said", 1), ("set", 3)]),
        ([SAID, FOUR, SlotSet("x", "four", cause=2)],
         [("said", 1), ("understood", 2), ("set", 3)]),
        ([SAID, EntitiesAdded((Entity("n", 4),)), SlotSet("x", [4])],
         [("said", 1), ("understood", 2), ("set", 3)]),
        ([SlotSet("x", 4)], [("set", 1)]),
        ([SAID, SlotSet("x", 4), BotUttered("ok"), SlotSet("x", None)],
         [("said", 1), ("cleared", 4)]),
        ([SAID, SlotSet("x", 4), UserUttered("stop"), SlotsReset()],
         [("said", 3), ("cleared", 4)]),
        ([SAID, SlotSet("x", 4), ConversationRestarted()], [("said", 1), ("cleared", 3)]),
        ([SlotsDeclared((Slot("x", initial=2),)), SAID], [("declared", 1)]),
        ([SlotsDeclared((Slot("x", initial=2),)), SAID, SlotSet("x", 4), SlotsReset()],
         [("declared", 1), ("said", 2), ("restored", 4)]),
        ([SlotsDeclared((Slot("x", "list"),)), SAID, SlotSet("x", 4)],
         [("declared", 1), ("said", 2), ("set", 3)]),
        ([SAID, SlotSet("x", 4), UserUttered("no"), SlotSet("x", 5), UserUtteranceReverted()],
         [("said", 1), ("set", 2), ("restored", 5)]),
        ([UserUttered("hi"), UserUttered("4"), SlotSet("x", 4), UserUtteranceReverted()],
         [("cleared", 4)]),
        ([SAID, SlotSet("x", 4), UserUttered("no"), BotUttered("?"), UserUtteranceReverted()],
         [("said", 1), ("set", 2)]),
    ],
)  # fmt: skip
def test_a_slots_chain_has_the_message_its_understanding_and_the_event_that_set_it(
    events: list[e.Event], expected: list[tuple[str, int]]
) -> None:
    assert chain("x", *events) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([ToolCalled("find", {"people": 4}, "1"), ToolReturned(PLACE, "1"), SlotSet("x", 49)],
         [("said", 1), ("understood", 2), ("called", 3), ("returned", 4), ("set", 5)]),
        ([ToolCalled("find", {"people": 9}, "1"), ToolReturned(PLACE, "1"), SlotSet("x", 49)],
         [("said", 1), ("called", 3), ("returned", 4), ("set", 5)]),
        ([ToolCalled("find", {}, "1"), ToolReturned(PLACE, "1"), SlotSet("x", [18, 19])],
         [("said", 1), ("called", 3), ("returned", 4), ("set", 5)]),
        ([ToolCalled("find", {}, "1"), ToolReturned(PLACE, "1"), SlotSet("x", 50)],
         [("said", 1), ("set", 5)]),
        ([ToolCalled("find", {}, "1"), ToolReturned("49", "1"), SlotSet("x", 50, cause=4)],
         [("said", 1), ("called", 3), ("returned", 4), ("set", 5)]),
        ([ToolCalled("a", {}, "1"), ToolCalled("b", {}, "2"), ToolReturned(7, "2"),
          ToolReturned(49, "1"), SlotSet("x", 49)],
         [("said", 1), ("called", 3), ("returned", 6), ("set", 7)]),
        ([ToolCalled("id", {}, "1"), ToolReturned({"id": "k7"}, "1"),
          ToolCalled("get", {"id": "k7"}, "2"), ToolReturned(49, "2"), SlotSet("x", 49)],
         [("said", 1), ("called", 3), ("returned", 4), ("called", 5), ("returned", 6), ("set", 7)]),
        ([ToolCalled("find", {}, "1"), ToolReturned(49, "1"), UserUttered("and?"),
          SlotSet("x", 49)],
         [("said", 5), ("set", 6)]),
        ([ToolCalled("find", {}, "1", cause=1), UserUttered("quick"),
          ToolReturned(49, "1", cause=3), SlotSet("x", 49, cause=1)],
         [("said", 1), ("called", 3), ("returned", 5), ("set", 6)]),
        ([ToolCalled("find", {}, "1"), ToolReturned({"none": None, "": ""}, "1"),
          SlotSet("x", None)],
         [("said", 1), ("cleared", 5)]),
    ],
)  # fmt: skip
def test_a_tool_is_in_the_chain_of_its_value(
    events: list[e.Event], expected: list[tuple[str, int]]
) -> None:
    assert chain("x", SAID, FOUR, *events) == expected


def test_an_action_a_message_and_a_result_have_chains() -> None:
    events = [
        SAID, FOUR, ToolCalled("find", {"people": 4}, "1"), ToolReturned("at 19:00", "1"),
        ActionExecuted("utter_time"), BotUttered("at 19:00"), BotUttered("until 21:00"),
    ]  # fmt: skip
    said = [("said", 1), ("understood", 2)]
    tool = [("called", 3), ("returned", 4)]
    assert chain(1, *events) == [("said", 1)]
    assert chain(2, *events) == [("said", 1), ("understood", 2)]
    assert chain(3, *events) == [*said, ("called", 3)]
    assert chain(4, *events) == [*said, *tool]
    assert chain(5, *events) == [*said, ("done", 5)]
    assert chain(6, *events) == [*said, *tool, ("said", 6)]
    assert chain(7, *events) == [*said, ("said", 7)]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (9, "There are 9 tables."),
        (9, "Tables: 9"),
        (1500, "That is $1,500.00."),
        (12.5, "12.50 EUR, please"),
        (-3, "It is -3 outside"),
        ("9", "9?"),
        ("Trattoria Roma", "I booked Trattoria Roma."),
        ({"free": [{"at": "19:30"}]}, "At 19:30 there is one."),
        (12345678901234567890, "No. 12345678901234567890"),
    ],
)
def test_a_text_that_quotes_a_result_names_its_tool(result: object, text: str) -> None:
    events = [SAID, ToolCalled("find", {}, "1"), ToolReturned(result, "1"), BotUttered(text)]
    assert chain(4, *events) == [("said", 1), ("called", 2), ("returned", 3), ("said", 4)]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (9, "There are 19 tables, or 90, at 9.5 or 1,900 or 3-9 or a9."),
        (9, "It is -9 outside, at 19:09 on 2024-9-26"),
        ("9", "at 9:30, in 9.5 hours"),
        ("Rom", "Trattoria Roma"),
        (True, "True, that is one."),
        (1, "That is so."),
        (None, "None are free."),
        ({"9": None, "": ""}, "There are 9."),
        ("-", "a - b"),
        (12345678901234567890, "No. 12345678901234567891"),
    ],
)
def test_a_text_that_resembles_a_result_names_no_tool(result: object, text: str) -> None:
    events = [SAID, ToolCalled("find", {}, "1"), ToolReturned(result, "1"), BotUttered(text)]
    assert chain(4, *events) == [("said", 1), ("said", 4)]


def test_a_text_of_another_turn_names_no_tool() -> None:
    called = [ToolCalled("find", {}, "1"), ToolReturned(9, "1")]
    events = [SAID, *called, BotUttered("I looked."), UserUttered("and?"), BotUttered("9 tables")]
    assert chain(6, *events) == [("said", 5), ("said", 6)]


@pytest.mark.parametrize("number", [0, -1, 99])
def test_an_unknown_event_is_refused_and_the_last_is_named(number: int) -> None:
    with pytest.raises(OutOfRange, match=f"event {number} does not exist; the last is 1"):
        chain(number, SAID)


def test_a_redacted_event_is_named_and_not_shown() -> None:
    with turnlog.open("memory:") as log:
        log.record("c", UserUttered("card 4111"), SlotSet("card", "4111"), BotUttered("thanks"))
        log.record("c", MessageRedacted(1))
        conversation = log.conversation("c")
        links = [*why(conversation, "card"), *why_event(conversation, 3)]
        assert "4111" not in repr([link.as_dict() for link in links])
        assert "4111" not in repr(links)
        assert {link.event for link in links} == {1, 2, 3}


def test_an_unknown_thing_is_named() -> None:
    with turnlog.open("memory:") as log:
        log.record("c", SAID, SlotSet("people", 4), SlotsDeclared((Slot("day"),)))
        conversation = log.conversation("c")
        assert why(conversation, "day") == []
        with pytest.raises(ConversationError, match="did you mean 'people'"):
            why(conversation, "peopl")
        for number in (0, -1, 4):
            with pytest.raises(OutOfRange, match=str(number)):
                why_event(conversation, number)


@pytest.mark.parametrize("slot", ["first", "reset", "back", "often"])
def test_why_does_not_read_a_long_conversation(monkeypatch: pytest.MonkeyPatch, slot: str) -> None:
    decoded: list[bytes] = []
    decode = rows._decoded
    with turnlog.open("memory:") as log:
        log.record("c", SAID, *(SlotSet(name, 1) for name in ("first", "reset", "back", "often")))
        log.record("c", UserUttered("reset"), SlotSet("reset", None))
        log.record("c", UserUttered("no"), SlotSet("back", 2), UserUtteranceReverted())
        for number in range(1_000):
            undone = [UserUttered("oh"), UserUtteranceReverted()] if number % 10 == 0 else []
            log.record("c", UserUttered("go on"), *undone, SlotSet("often", number))
        log.current.catch_up()
        monkeypatch.setattr(rows, "_decoded", lambda *row: decoded.append(row[-1]) or decode(*row))
        assert why(log.conversation("c"), slot)
    assert 0 < len(decoded) < 1_000
