"""What a redaction hides and what it leaves: given events, the slots and texts that remain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import turnlog
from turnlog import (
    ActionExecuted,
    BotUttered,
    Entity,
    Event,
    MessageRedacted,
    MessageUnderstood,
    ReminderScheduled,
    SlotSet,
    ToolCalled,
    ToolReturned,
    Turnlog,
    UserUttered,
)


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as opened:
        yield opened


def left(log: Turnlog, *events: Event) -> tuple[dict[str, Any], list[str | None]]:
    """Slots and texts after the first message was redacted."""
    log.record("a", *events)
    log.record("a", MessageRedacted(1))
    shown = log.conversation("a")
    return shown.slots, [getattr(e, "text", None) for e in shown.events() if hasattr(e, "text")]


@pytest.mark.parametrize(
    "between",
    [
        [ActionExecuted("act")],
        [MessageUnderstood(message=1)],
        [ToolReturned("1989-11-09", "c")],
    ],
)
def test_a_slot_of_the_turn_is_hidden_whatever_its_cause(
    log: Turnlog, between: list[Event]
) -> None:
    said = UserUttered("I was born the day the wall fell")
    slots, texts = left(
        log, said, *between, SlotSet("dob", "1989-11-09", cause=2), BotUttered("1989-11-09, right?")
    )
    assert slots == {}
    assert texts == [None, "██████████, right?"]


def test_a_slot_caused_by_another_message_stays(log: Turnlog) -> None:
    slots, _ = left(
        log, UserUttered("my pin is 471193"), SlotSet("pin", "471193"), UserUttered("to Rome"),
        ToolCalled("find", {}, "c", cause=3), ToolReturned("Roma", "c"), SlotSet("at", 1, cause=5),
    )  # fmt: skip
    assert slots == {"at": 1}


def test_a_year_in_a_text_leaves_the_dates_of_slots_alone(log: Turnlog) -> None:
    slots, _ = left(
        log, UserUttered("in 2026 my wife left"), UserUttered("on the first of march"),
        SlotSet("date", "2026-03-01"),
    )  # fmt: skip
    assert slots == {"date": "2026-03-01"}


@pytest.mark.parametrize(("first", "again"), [("471193", 471193), ("Rome", "ROME")])
def test_a_value_said_and_set_again_stays_in_any_spelling(
    log: Turnlog, first: Any, again: Any
) -> None:
    slots, texts = left(
        log, UserUttered(f"it is {first}"), SlotSet("x", first), UserUttered(f"yes, {again}"),
        SlotSet("x", again),
    )  # fmt: skip
    assert slots == {"x": again}
    assert texts == [None, f"yes, {again}"]


def test_a_common_word_is_masked_nowhere_else(log: Turnlog) -> None:
    _, texts = left(log, UserUttered("what"), BotUttered("I don't know what you mean"))
    assert texts == [None, "I don't know what you mean"]


def test_an_entity_without_a_value_hides_the_words_at_its_place(log: Turnlog) -> None:
    _, texts = left(
        log, UserUttered("I am Entspanz ok"),
        MessageUnderstood(entities=(Entity("n", None, 5, 13),), message=1),
        BotUttered("hi Entspanz"),
    )  # fmt: skip
    assert texts == [None, "hi ████████"]


def test_codes_in_the_data_of_a_message_are_hidden(log: Turnlog) -> None:
    said = UserUttered(None, {"form": {"pin": "hunter2000"}})
    assert left(log, said, BotUttered("your pin hunter2000"))[1] == [None, "your pin ██████████"]


@pytest.mark.parametrize(
    "entities", [None, [{"entity": "city", "value": "Rome"}], ["Rome"], {"city": "Rome"}]
)
def test_a_reminder_is_redacted_whatever_its_entities_are(log: Turnlog, entities: Any) -> None:
    reminder = ReminderScheduled("remind", None, entities, cause=1)
    log.record("a", UserUttered("remind me of it"), reminder, BotUttered("ok, that city: Rome"))
    log.record("a", MessageRedacted(1))
    hidden = "Rome" if entities is None else "████"
    assert list(log.conversation("a").events())[2].text == f"ok, that city: {hidden}"
