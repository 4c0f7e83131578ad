"""The events that count for training, by example."""

from __future__ import annotations

import pytest

from turnlog.domain import events as e
from turnlog.domain.commit import Commit
from turnlog.domain.counted import Counted, counted
from turnlog.domain.decide import decide
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.fold import replay
from turnlog.domain.history import NoHistory
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.state import State
from turnlog.errors import FormatError
from turnlog.training.parts.leaks import Leaks
from turnlog.training.plan import included, parts
from turnlog.training.select import PastConversation


def recorded(*events: e.Event) -> list[e.Event]:
    """The events as stored, with resolved rewinds."""
    return decide("c", State(), events, history=NoHistory())[0]


def numbered(*events: e.Event) -> list[RecordedEvent]:
    return [*Commit("c", 1, 1, 0, 0.0, events).recorded_events()]


def seen(*events: e.Event, include: tuple[str, ...] = ()) -> Counted:
    return counted(numbered(*recorded(*events)), include)


def texts(found: Counted) -> list[str | None]:
    said = e.UserUttered | e.BotUttered
    return [event.text for event in found.events if isinstance(event, said)]


REWOUND = (
    e.UserUttered("one"),
    e.ActionExecuted("utter_one"),
    e.BotUttered("first"),
    e.SlotSet("city", "Rome"),
    e.UserUttered("two"),
    e.ActionExecuted("utter_two"),
    e.SlotSet("city", "Oslo"),
    e.UserUtteranceReverted(),
    e.UserUttered("three"),
)


def test_rewound_events_are_omitted_and_the_rest_keeps_its_numbers():
    found = seen(*REWOUND)
    assert texts(found) == ["one", "first", "three"]
    assert found.numbers == (1, 2, 3, 4, 9)
    assert found.turns == (0, 1, 3)
    assert found.left_out == {"rewound": 4}


def test_rewound_events_can_be_included():
    found = seen(*REWOUND, include=("rewound",))
    assert texts(found) == ["one", "first", "two", "three"]
    assert found.left_out == {}
    assert replay(found.events).slots == replay(recorded(*REWOUND)).slots


def test_the_slots_are_those_of_the_log():
    events = (*REWOUND, e.SlotSet("people", 2))
    assert replay(seen(*events).events).slots == replay(recorded(*events)).slots


@pytest.mark.parametrize(
    ("after", "counts"),
    [
        ((), ["one", "first", "three"]),
        ((e.MessageRegenerated(4, "second"),), ["one", "first", "two", "second", "three"]),
        ((e.MessageEdited(4, "2nd"), e.AnswerBrokenOff(4)), ["one", "first", "three"]),
    ],
)
def test_a_turn_whose_answer_broke_off_is_omitted(after, counts):
    events = (
        e.UserUttered("one"), e.BotUttered("first"), e.UserUttered("two"), e.BotUttered("sec"),
        e.AnswerBrokenOff(), *after, e.UserUttered("three"),
    )  # fmt: skip
    found = counted(numbered(*recorded(*events)), broken_off=False)
    assert texts(found) == counts
    assert ("errors" in found.left_out) == (len(counts) == 3)
    assert "two" in texts(counted(numbered(*recorded(*events)), ["errors"], broken_off=False))
    assert "two" in texts(counted(numbered(*recorded(*events))))


def test_a_greeting_that_broke_off_is_omitted_alone():
    events = (e.BotUttered("Wel"), e.AnswerBrokenOff(1), e.UserUttered("one"))
    assert texts(counted(numbered(*recorded(*events)), broken_off=False)) == ["one"]


def test_a_failed_turn_is_omitted_except_for_its_slots():
    events = (
        e.UserUttered("one"), e.BotUttered("first"),
        e.UserUttered("two"), e.SlotSet("city", "Rome"), e.BotFailed("error", "boom"),
        e.UserUttered("three"), e.BotUttered("third"),
    )  # fmt: skip
    found = seen(*events)
    assert texts(found) == ["one", "first", "three", "third"]
    assert replay(found.events).slots == {"city": "Rome"}
    assert found.left_out == {"errors": 2}
    assert found.turns == (0, 1, 3)
    assert texts(seen(*events, include=("errors",))) == ["one", "first", "two", "three", "third"]


def test_a_turn_with_a_redacted_message_is_always_omitted():
    events = (
        e.UserUttered("my number is 5"), e.BotUttered("5, fine"), e.UserUttered("bye"),
        e.MessageRedacted(1),
    )  # fmt: skip
    for include in ((), ("rewound", "errors")):
        found = seen(*events, include=include)
        assert texts(found) == ["bye"]
        assert found.left_out == {"redacted": 2}


def test_before_the_first_turn_only_the_redacted_message_is_omitted():
    found = seen(e.BotUttered("secret"), e.BotUttered("hello"), e.MessageRedacted(1))
    assert texts(found) == ["hello"]


def test_an_edited_text_is_used_and_places_in_the_old_one_are_dropped():
    found = seen(
        e.UserUttered("to Rome now"),
        e.MessageUnderstood(
            e.Intent("go"),
            (e.Entity("city", "Rome", 3, 7), e.Entity("when", "now", 8, 11)),
            message=1,
        ),
        e.MessageEdited(1, "to Rome today"),
    )
    assert texts(found) == ["to Rome today"]
    understood = found.events[1]
    assert isinstance(understood, e.MessageUnderstood)
    assert [(x.entity, x.start) for x in understood.entities] == [("city", 3), ("when", None)]


def test_references_between_events_are_renumbered():
    found = seen(
        *REWOUND,
        e.MessageUnderstood(e.Intent("three"), message=9),
        e.MessageAnnotated((e.Frame("s"),), message=5),
        e.ToolCalled("t", cause=9),
    )
    user, understood, call = found.events[4:]
    assert isinstance(user, e.UserUttered)
    assert isinstance(understood, e.MessageUnderstood)
    assert understood.message == 5
    assert call.cause == 5
    assert found.numbers == (1, 2, 3, 4, 9, 10, 12)


@pytest.mark.parametrize(
    "text", ["train=0.5", "train=0.5,train=0.5", "../x=1", "a=1.0,b=0", "a=nan", "a=x", "", "a=2"]
)
def test_invalid_shares_are_refused(text: str):
    with pytest.raises(FormatError, match="--split"):
        parts(text)


def test_only_omitted_kinds_can_be_included():
    assert included("redacted, errors, rewound") == ["rewound", "errors", "redacted"]
    with pytest.raises(FormatError, match="deleted"):
        included("deleted")


def test_the_same_words_and_users_in_two_parts_are_leaks():
    leaks = Leaks()
    for name, id in (("train", "a"), ("test", "b"), ("train", "c")):
        said = numbered(e.UserIdentified("u"), e.UserUttered("hello"))
        seen = PastConversation(id, 1, tuple(said))
        leaks.look(name, seen, Dialogue(id, counted(seen.recorded).events))
    counts, named = leaks.found()
    assert counts == {"text": 1, "user": 1}
    assert [leak.conversations for leak in named] == [["b", "a"], ["b", "a"]]
