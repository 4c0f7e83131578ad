"""Given a long past, when a rewind is decided, then it reads only the events it retracts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlog import (
    ActionExecuted,
    ActionRejected,
    ActionReverted,
    AgentUttered,
    BotUttered,
    HistoryContinued,
    HistoryReplaced,
    LoopActivated,
    MessageEdited,
    MessageRedacted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.domain.context import BotMessage
from turnlog.domain.decide import decide
from turnlog.domain.errors import InvalidEvent
from turnlog.domain.events import Event
from turnlog.domain.fold import replay
from turnlog.domain.loops import newest_without_repeats, without_repeats
from turnlog.domain.state import State
from turnlog.domain.traits import Rewind

LONG: list[Event] = [SlotSet("n", n) for n in range(3000)]


class Past:
    """A history that counts the events read from its end."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self.read = self.states = 0

    def newest_first(self, upto: int | None = None) -> Iterator[tuple[int, Event]]:
        for number in range(len(self._events) if upto is None else upto, 0, -1):
            self.read += 1
            yield number, self._events[number - 1]

    def state(self, event: int) -> State:
        self.states += 1
        return replay(self._events[:event])


UTTERANCE, ACTION = UserUtteranceReverted(), ActionReverted()
FORM = [LoopActivated("form"), ActionExecuted("form"), LoopActivated(None)]
CASES: dict[str, tuple[list[Event], Event, int]] = {
    "messages alone": ([*LONG, UserUttered("a"), BotUttered("b")], UTTERANCE, 3000),
    "the first message": ([*LONG, UserUttered("a")], UTTERANCE, 3000),
    "a message after an agent's": (
        [ActionExecuted("x"), AgentUttered("a"), *LONG, AgentUttered("b"), UserUttered("c")],
        UTTERANCE,
        3003,
    ),
    "an action long ago, answered": (
        [ActionExecuted("x"), BotUttered("a"), *LONG, UserUttered("b")],
        UTTERANCE,
        3002,
    ),
    "no message": (LONG, UTTERANCE, 3000),
    "a form that is over": (
        [*LONG, *FORM, UserUttered("a"), ActionExecuted("form"), UserUttered("b")],
        UTTERANCE,
        3004,
    ),
    "a form's last run": ([*LONG, *FORM, ActionExecuted("form")], ACTION, 3003),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rewind_reads_only_the_events_it_retracts(name: str):
    events, asked, to = CASES[name]
    past = Past(events)
    (decided,), _ = decide("alice", replay(events), [asked], history=past)
    assert isinstance(decided, Rewind)
    assert decided.to == to
    assert past.read <= 20


def test_an_undo_without_an_action_reads_nothing():
    past = Past([UserUttered("a"), *LONG])
    with pytest.raises(InvalidEvent, match="no action to undo"):
        decide("alice", replay([UserUttered("a"), *LONG]), [ACTION], history=past)
    assert past.read == 0


def test_going_far_back_reads_only_the_state_at_the_target():
    past = Past([UserUttered("a"), *LONG])
    (_,), state = decide("alice", replay(past._events), [HistoryReplaced(to=7)], history=past)
    assert state.slots == {"n": 5}
    assert (past.read, past.states) == (0, 1)


def test_events_rewritten_since_are_read_back_to_the_target():
    said = UserUttered("a"), BotUttered("b"), MessageEdited(1, "A")
    past = Past([*said, *LONG, UserUttered("x"), MessageRedacted(2)])
    last = len(past._events)
    (_,), state = decide(
        "alice", replay(past._events), [HistoryReplaced(to=last - 5)], history=past
    )
    assert state.context.latest_bot_message == BotMessage(2)
    assert (past.read, past.states) == (6, 1)


FORM_EVENTS = st.one_of(
    st.sampled_from(["form", "other", "listen"]).map(ActionExecuted),
    st.sampled_from(["form", None]).map(LoopActivated),
    st.just(ActionRejected("form")),
    st.just(UserUttered("hi")),
    st.just(SlotSet("n", 1)),
)


@given(st.lists(FORM_EVENTS, max_size=30))
def test_the_events_of_forms_that_count_are_the_same_from_either_end(events: list[Event]):
    numbered, loops = list(enumerate(events, 1)), ("form", "other")
    newest = newest_without_repeats(numbered[::-1], loops)
    assert list(newest)[::-1] == without_repeats(numbered, loops)


def test_an_undo_after_a_checkout_skips_the_branch_that_was_left() -> None:
    events = [UserUttered("a"), BotUttered("b"), *LONG, UserUttered("c"), HistoryContinued(2)]
    past = Past(events)
    [undone], _ = decide("alice", replay(events), [UTTERANCE], history=past)
    assert isinstance(undone, UserUtteranceReverted)
    assert (undone.to, past.read) == (0, 3)
