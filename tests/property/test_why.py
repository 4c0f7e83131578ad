"""Why, over generated histories: the set suffices, and no proper subset of it does."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnlog import (
    ActionExecuted,
    ActionReverted,
    BotUttered,
    ConversationRestarted,
    HistoryReplaced,
    SessionConfigured,
    SessionStarted,
    SlotsDeclared,
    SlotSet,
    SlotsReset,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.audit.why import why
from turnlog.domain import events as e
from turnlog.domain.fold import replay
from turnlog.domain.rewinds import taken_back
from turnlog.domain.slots import Slot
from turnlog.domain.values import same
from turnlog.testing.strategies import decided

names = st.sampled_from(["a", "b"])
values = st.sampled_from([None, 1, 2, True, "x", [1]])
declared = st.builds(
    SlotsDeclared,
    st.lists(st.builds(Slot, names, initial=st.sampled_from([None, 1, 3])), max_size=2).map(tuple),
    st.booleans(),
)
asked: st.SearchStrategy[e.Event] = st.one_of(
    st.builds(UserUttered, st.just("hi")),
    st.builds(SlotSet, names, values),
    st.builds(SlotSet, names, values),
    st.builds(ActionExecuted, st.just("act")),
    declared,
    st.sampled_from([
        SlotsReset(), ConversationRestarted(), SessionStarted(), SessionConfigured(None),
        SessionConfigured(None, False), BotUttered("ok"), ActionReverted(),
        UserUtteranceReverted(), HistoryReplaced(to=0),
    ]),
)  # fmt: skip
histories = st.lists(asked, max_size=30).map(decided)


def gives(events: tuple[e.Event, ...], numbers: tuple[int, ...], slot: str) -> Any:
    """The slot's value when these events alone are replayed; with none, what it begins with."""
    if not numbers:
        return replay(events).initial_slots.get(slot)
    return replay([events[number - 1] for number in numbers]).slots.get(slot)


@given(histories)
@example(decided([SlotsDeclared((Slot("a", initial=1),)), SlotsDeclared((Slot("a", initial=3),))]))
@example(decided([SlotSet("a", 2), SlotsDeclared((), closed=True), SlotSet("a", 1)]))
def test_the_set_suffices_and_no_proper_subset_does(events: tuple[e.Event, ...]) -> None:
    for slot in ("a", "b"):
        value = replay(events).slots.get(slot)
        numbers = why(events, slot)
        if value is None:
            assert numbers == ()
            continue
        assert same(gives(events, numbers, slot), value)
        for size in range(len(numbers)):
            for fewer in combinations(numbers, size):
                assert not same(gives(events, fewer, slot), value)


@given(histories)
def test_nothing_later_that_counts_changed_the_slot(events: tuple[e.Event, ...]) -> None:
    gone = taken_back(events)
    for slot in ("a", "b"):
        value = replay(events).slots.get(slot)
        for number in why(events, slot):
            if isinstance(events[number - 1], SlotsDeclared):  # its value may come in force later
                continue
            later = [end for end in range(number, len(events) + 1) if end not in gone]
            after = [replay(events[:end]).slots.get(slot) for end in later]
            assert number not in gone
            assert all(same(held, value) for held in after)


@given(histories)
def test_every_slot_that_was_set_has_a_reason(events: tuple[e.Event, ...]) -> None:
    state = replay(events)
    for slot, value in state.slots.items():
        assert why(events, slot) or same(value, state.initial_slots.get(slot))


ANEW = [SlotSet("a", 7), SlotsDeclared((Slot("a", initial=1),))]


@pytest.mark.parametrize(
    ("history", "numbers"),
    [
        ([], ()),
        ([SlotSet("a", 1), SlotSet("a", None)], ()),
        ([SlotSet("a", 1), SlotSet("a", 1)], (2,)),
        ([SlotSet("a", 1), SlotSet("b", 1)], (1,)),
        ([SlotSet("a", 1), ActionExecuted("act"), UserUttered("x"), UserUtteranceReverted()], (1,)),
        ([SlotSet("a", 1), ConversationRestarted()], ()),
        ([SessionConfigured(None, True), SlotSet("a", 1), SessionStarted()], (2,)),
        ([SlotSet("a", 1), SlotsDeclared((), closed=True), SlotSet("a", 1)], (1,)),
        ([SlotsDeclared((Slot("a", initial=1),)), SlotSet("a", 1)], ()),
        ([SlotSet("a", 1), UserUttered("x"), SlotSet("a", 2), UserUtteranceReverted()], (1,)),
        ([*ANEW, SlotsReset(), SlotsDeclared((Slot("a", initial=3),))], (2,)),
        ([*ANEW, HistoryReplaced(to=0), SlotsDeclared((Slot("a", initial=3),))], (2,)),
    ],
)
def test_the_latest_event_that_decided_is_named(history: list[e.Event], numbers: tuple[int, ...]):
    assert why(decided(history), "a") == numbers


def test_what_was_taken_back_is_named_with_what_did_it():
    events = [
        UserUttered("one"), ActionExecuted("act"), SlotSet("a", 1), ActionReverted(to=1),
        UserUttered("two"), ActionExecuted("act"), UserUtteranceReverted(to=4),
        HistoryReplaced(to=1),
    ]  # fmt: skip
    assert taken_back(events[:4]) == {2: 4, 3: 4}
    assert taken_back(events[:7]) == {2: 4, 3: 4, 5: 7, 6: 7}
    assert taken_back(events) == dict.fromkeys(range(2, 8), 8)
    assert taken_back([*events[:4], HistoryReplaced(to=3)]) == {4: 5}
