"""Why, over generated histories: the deciding events suffice, and each of them is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import combinations
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import turnlog
from tests.property.test_redactions import conversations, recorded
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
from turnlog.audit.why import deciding, why, why_event
from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.fold import replay
from turnlog.domain.rewinds import taken_back
from turnlog.domain.slots import Slot
from turnlog.domain.values import same
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent
from turnlog.projections import live_head

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
    st.builds(HistoryReplaced, to=st.integers(0, 12)),
)  # fmt: skip


def logged(asked: list[e.Event]) -> Turnlog:
    """A log in memory with every event that could be recorded, and frequent snapshots."""
    log = turnlog.open("memory:")
    for event in asked:
        with suppress(InvalidEvent):
            log.record("c", event)
    return log


@pytest.fixture(autouse=True, scope="module")
def _small_snapshots() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(live_head, "SNAPSHOT_EVERY", 4)
        yield


def gives(events: list[e.Event], numbers: list[int], slot: str) -> Any:
    """The slot's value when these events alone are replayed."""
    return replay([events[number - 1] for number in numbers]).slots.get(slot)


@given(st.lists(asked, max_size=30))
@example([SlotsDeclared((Slot("a", initial=1),)), SlotsDeclared((Slot("a", initial=3),))])
@example([SlotSet("a", 2), SlotsDeclared((), closed=True), SlotSet("a", 1)])
@example([SlotsDeclared((Slot("a", "list"),)), SlotSet("a", "x")])
@example([SlotsDeclared((Slot("a", initial=1),)), SlotSet("a", 2), HistoryReplaced(to=0)])
def test_the_deciding_events_suffice_and_no_proper_subset_does(asked: list[e.Event]) -> None:
    log = logged(asked)
    if "c" in log:
        conversation = log.conversation("c")
        events = [*conversation.events()]
        for slot in {"a", "b"} & conversation.state.touched.keys():
            value = conversation.slots.get(slot)
            numbers = deciding(why(conversation, slot))
            assert same(gives(events, numbers, slot), value)
            for size in range(len(numbers)):
                for fewer in combinations(numbers, size):
                    assert not same(gives(events, list(fewer), slot), value)


@given(st.lists(asked, max_size=30))
@example([SlotSet("a", 1), SlotSet("a", 2), HistoryReplaced(to=1), HistoryReplaced(to=2)])
@example([SlotSet("a", 1), SlotsReset(), HistoryReplaced(to=1), SlotsReset()])
@example([SlotsDeclared((Slot("a", initial=1),)), HistoryReplaced(to=0)])
def test_without_any_deciding_event_the_slot_would_have_another_reason(
    asked: list[e.Event],
) -> None:
    log = logged(asked)
    if "c" in log:
        conversation = log.conversation("c")
        events, gone = [*conversation.events()], taken_back([*conversation.events()])
        for slot in {"a", "b"} & conversation.state.touched.keys():
            chain = why(conversation, slot)
            assert [link.event for link in chain] == sorted({link.event for link in chain})
            counting = {link.event for link in chain if link.role != "declared"}  # that stays
            assert not gone.keys() & counting
            for link in chain:
                if link.role in ("set", "restored", "cleared"):
                    without = [*events]
                    without[link.event - 1] = ActionExecuted("another")
                    assert _reason(without, slot) != _reason(events, slot)


def _reason(events: list[e.Event], slot: str) -> Any:
    """Numbers of the event that gave a slot its value and of the rewind that restored it."""
    state = replay(events)
    since = state.context.since.get(slot, 0)
    return since, max(since, state.touched.get(slot, (0, 0))[1])


@given(st.lists(asked, max_size=30), st.integers(1, 30))
def test_no_later_event_that_counts_changed_the_slot(asked: list[e.Event], end: int) -> None:
    log = logged(asked)
    if "c" not in log:
        return
    events = [*log.conversation("c").events()][:end]
    conversation, gone = log.conversation("c", event=len(events)), taken_back(events)
    for slot in {"a", "b"} & conversation.state.touched.keys():
        for link in why(conversation, slot):
            later = [n for n in range(link.event + 1, len(events) + 1) if n not in gone]
            assert link.role != "set" or not [n for n in later if _means(events, n, slot)]


def _means(events: list[e.Event], number: int, slot: str) -> bool:
    event, before = events[number - 1], replay(events[: number - 1])
    is_of_slot = isinstance(event, SlotSet) and event.name == slot
    return is_of_slot and (not before.closed or slot in before.declared)


@given(st.lists(asked, min_size=2, max_size=20), st.lists(asked, max_size=8), st.data())
def test_a_fork_has_the_reasons_of_its_origin_and_continues(
    before: list[e.Event], after: list[e.Event], data: st.DataObject
) -> None:
    log = logged(before)
    if "c" not in log:
        return
    event = data.draw(st.integers(1, log.conversation("c").state.event))
    log.fork("c", event=event, as_="f")
    origin = log.conversation("c", event=event)
    for slot in origin.state.touched:
        assert _numbers(log.conversation("f"), slot) == _numbers(origin, slot)
    for each in after:
        with suppress(InvalidEvent):
            log.record("f", each)
    forked = log.conversation("f")
    for slot in forked.state.touched:
        assert same(
            gives([*forked.events()], deciding(why(forked, slot)), slot), forked.slots.get(slot)
        )


def _numbers(conversation: Conversation, slot: str) -> list[tuple[str, int]]:
    return [(link.role, link.event) for link in why(conversation, slot)]


@given(conversations)
def test_a_chain_shows_no_more_than_any_view(asked: list[list[e.Event]]) -> None:
    with turnlog.open("memory:") as log:
        recorded(log, asked)
        if "c" not in log:
            return
        conversation = log.conversation("c")
        shown = {line.number: line.event for line in conversation.recorded()}
        for slot in conversation.state.touched:
            chain = why(conversation, slot)
            assert all(same(link.recorded.event, shown[link.event]) for link in chain)
            value = conversation.slots.get(slot)
            assert same(gives([*shown.values()], deciding(chain), slot), value)
        for number in shown:
            chain = why_event(conversation, number)
            assert chain[-1].event == number
            assert all(same(link.recorded.event, shown[link.event]) for link in chain)


BEGUN_AGAIN = [SlotSet("a", 7), SlotsDeclared((Slot("a", initial=1),))]


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
        ([SlotsDeclared((Slot("a", initial=1),)), SlotSet("a", 1)], (2,)),
        ([SlotsDeclared((Slot("a", initial=1),))], (1,)),
        ([SlotSet("a", 1), UserUttered("x"), SlotSet("a", 2), UserUtteranceReverted()], (1,)),
        ([*BEGUN_AGAIN, SlotsReset(), SlotsDeclared((Slot("a", initial=3),))], (2,)),
        ([*BEGUN_AGAIN, HistoryReplaced(to=0), SlotsDeclared((Slot("a", initial=3),))], (2,)),
    ],
)
def test_the_latest_event_that_decided_is_named(history: list[e.Event], numbers: tuple[int, ...]):
    log = logged(history)
    if history:
        assert deciding(why(log.conversation("c"), "a")) == list(numbers)


def test_a_rewound_value_is_named_with_its_rewind():
    events = [
        UserUttered("one"), ActionExecuted("act"), SlotSet("a", 1), ActionReverted(to=1),
        UserUttered("two"), ActionExecuted("act"), UserUtteranceReverted(to=4),
        HistoryReplaced(to=1),
    ]  # fmt: skip
    assert taken_back(events[:4]) == {2: 4, 3: 4}
    assert taken_back(events[:7]) == {2: 4, 3: 4, 5: 7, 6: 7}
    assert taken_back(events) == dict.fromkeys(range(2, 8), 8)
    assert taken_back([*events[:4], HistoryReplaced(to=3)]) == {4: 5}
