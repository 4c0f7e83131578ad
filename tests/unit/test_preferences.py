"""Pairs from replaced answers, and contradicting evidence."""

from __future__ import annotations

from typing import Any

import pytest

from turnlog.domain import events as e
from turnlog.domain.judgements import Contradiction, Judgements, PreferenceEvidence
from turnlog.domain.recorded import RecordedEvent
from turnlog.training.preferences.preferences import judgements

ASKED = e.UserUttered("a table?")
BAD, GOOD = e.BotUttered("No."), e.BotUttered("For how many?")
GOES_ON = (e.UserUttered("four"), e.BotUttered("Booked."))


def known(*events: e.Event, shared: int = 0) -> Judgements:
    """What is known about the answers in these events."""
    turn, recorded = 0, []
    for number, event in enumerate(events, 1):
        turn += isinstance(event, e.UserUttered)
        recorded.append(RecordedEvent("c", number, turn, number, number, 0.0, event))
    return judgements("c", recorded, shared)


def pairs(*events: e.Event) -> list[tuple[str, str, str]]:
    """Chosen, rejected and evidence, as texts."""
    return [
        (said(each.chosen), said(each.rejected),
         " ".join(f"{one.kind} {one.event}" for one in each.evidence))
        for each in known(*events).preferences
    ]  # fmt: skip


def said(events: Any) -> str:
    return " ".join(getattr(event, "text", None) or event.name for event in events)


REWINDS = [
    (ASKED, BAD, e.UserUtteranceReverted(0), ASKED, GOOD),
    (ASKED, BAD, e.ActionReverted(1), GOOD),
    (ASKED, BAD, e.HistoryReplaced(1), GOOD),
    (ASKED, BAD, e.HistoryContinued(1), GOOD),
    (ASKED, BAD, e.HistoryContinued(1, branch="other"), GOOD),
    (ASKED, GOOD, e.HistoryContinued(1, branch="other"), BAD, e.HistoryContinued(2, branch="main")),
]


@pytest.mark.parametrize("events", REWINDS)
def test_a_replaced_answer_is_the_worse_one(events):
    at = max(n for n, event in enumerate(events, 1) if hasattr(event, "to"))
    kind = type(events[at - 1]).__name__
    assert pairs(*events) == [("For how many?", "No.", f"{kind} {at}")]
    (pair,) = known(*events).preferences
    assert [event.text for event in pair.prompt.events] == ["a table?"]


@pytest.mark.parametrize("events", REWINDS[:5])
def test_later_messages_do_not_change_a_pair(events):
    (pair,) = pairs(*events, *GOES_ON, e.HistoryContinued(len(events)), *GOES_ON)
    assert pair[:2] == ("For how many?", "No.")


def test_another_question_is_another_prompt():
    assert pairs(ASKED, BAD, e.UserUtteranceReverted(0), e.UserUttered("a room?"), GOOD) == []


def test_omitted_events_before_an_answer_change_its_prompt():
    first = (e.UserUttered("I am Eve"), e.BotUttered("Hello Eve"))
    hidden = e.MessageRedacted(message=1)
    assert pairs(*first, ASKED, BAD, hidden, e.UserUtteranceReverted(0), ASKED, GOOD) == []
    assert len(pairs(*first, ASKED, BAD, hidden, e.UserUtteranceReverted(2), ASKED, GOOD)) == 1


@pytest.mark.parametrize(
    "gone", [e.MessageRedacted(message=2), e.BotFailed(), e.AnswerBrokenOff(2)]
)
def test_redacted_failed_and_incomplete_answers_give_no_pair(gone):
    assert pairs(ASKED, BAD, gone, e.UserUtteranceReverted(0), ASKED, GOOD) == []


@pytest.mark.parametrize("at", [0, 1, 4])
def test_erased_answers_and_those_after_erased_events_give_no_pair(at):
    said = [ASKED, BAD, e.UserUtteranceReverted(0), ASKED, GOOD]
    said[at] = e.EventErased(type(said[at]).__name__)
    assert pairs(*said) == []


def test_consecutive_messages_are_one_answer():
    call, result = e.ToolCalled("find", {}, "c1"), e.ToolReturned("none", "c1")
    first = (ASKED, call, result, BAD, e.BotUttered("Sorry."))
    again = (e.ToolCalled("find", {}, "c2"), e.ToolReturned("none", "c2"))
    assert pairs(*first, e.HistoryContinued(1), *again, GOOD) == [
        ("For how many?", "No. Sorry.", "HistoryContinued 6")
    ]


def test_a_person_who_takes_over_answers_better():
    human = e.AgentUttered("Of course.")
    assert pairs(ASKED, BAD, e.HandoverStarted("Eva"), human) == [
        ("Of course.", "No.", "HandoverStarted 3")
    ]
    assert pairs(ASKED, BAD, e.HandoverStarted("Eva", actor="bot"), human) == []
    assert pairs(ASKED, BAD, e.HandoverStarted("Eva", cause=1), human) == []
    assert pairs(ASKED, BAD, ASKED, e.HandoverStarted("Eva"), human) == []
    assert pairs(ASKED, BAD, human) == []


def test_a_bot_that_waited_for_a_tool_as_a_person_took_over_answered_nothing():
    call, human = e.ToolCalled("find", {}, "c1"), e.AgentUttered("Of course.")
    for before in ((call,), (BAD, call), (call, e.ToolReturned("none", "c1"))):
        assert pairs(ASKED, *before, e.HandoverStarted("Eva"), human) == []


def test_each_version_of_an_answer_that_was_regenerated_is_worse_than_the_last():
    again = e.MessageRegenerated
    assert pairs(ASKED, BAD, again(2, "Maybe."), again(2, "Yes."), again(2, "No.")) == [
        ("No.", "Maybe.", "MessageRegenerated 4"), ("No.", "Yes.", "MessageRegenerated 5"),
    ]  # fmt: skip


def test_each_earlier_text_of_an_edited_answer_is_worse():
    said = (ASKED, e.BotUttered("No"), e.TextAdded(", never."), e.BotUttered("Bye."))
    edited = e.MessageEdited(2, "Yes."), e.MessageEdited(2, "Sure.")
    assert pairs(*said, *edited) == [
        ("Sure.", "No , never.", "MessageEdited 5"), ("Sure.", "Yes.", "MessageEdited 6"),
    ]  # fmt: skip


@pytest.mark.parametrize("comment", [None, "as I said"])
def test_a_rating_can_be_retracted_and_a_comment_leaves_it(comment):
    events = (ASKED, BAD, e.MessageRated(2, "up"), e.MessageRated(2, None, comment))
    found = known(*events, e.MessageEdited(2, "Yes."))
    is_there = comment is not None
    assert (len(found.verdicts), len(found.contradictions)) == (is_there, is_there)
    assert len(found.preferences) == (not is_there)


BRANCHES = (ASKED, BAD, e.HistoryContinued(1, branch="other"), GOOD)


@pytest.mark.parametrize(("good", "bad"), [("up", "down"), (1, -1), (5, 2), (1, 0), ("👍", "👎")])
def test_of_two_branches_the_one_rated_higher_is_better(good, bad):
    rated = e.MessageRated(2, bad), e.MessageRated(4, good)
    assert pairs(*BRANCHES, *rated) == [("For how many?", "No.", "MessageRated 5 MessageRated 6")]
    rated = e.MessageRated(2, good), e.MessageRated(4, bad)
    assert pairs(*BRANCHES, *rated) == [("No.", "For how many?", "MessageRated 5 MessageRated 6")]


CONTRADICTIONS = [
    ((ASKED, BAD, e.MessageRated(2, "up"), e.MessageEdited(2, "Yes.")), (4, 3)),
    ((ASKED, BAD, e.MessageEdited(2, "Yes."), e.MessageRated(2, "down")), (3, 4)),
    ((ASKED, BAD, e.MessageRated(2, 4), e.MessageEdited(2, "Yes."), e.MessageRated(2, 3)),
     (4, 5, 3)),
    ((ASKED, BAD, e.HistoryContinued(1), GOOD, e.MessageRated(4, "down")), (3, 5)),
    ((*BRANCHES, e.MessageRated(2, "up")), (3, 5)),
    ((ASKED, BAD, e.HandoverStarted(), e.AgentUttered("Yes"), e.MessageRated(2, 1)), (3, 5)),
]  # fmt: skip


@pytest.mark.parametrize(("events", "evidence"), CONTRADICTIONS)
def test_evidence_against_evidence_is_named_and_makes_no_pair(events, evidence):
    found = known(*events)
    assert found.preferences == ()
    kinds = [PreferenceEvidence(type(events[number - 1]).__name__, number) for number in evidence]
    assert found.contradictions == (Contradiction("c", tuple(kinds)),)


def test_an_edit_outweighs_the_choice_of_a_branch():
    events = (ASKED, BAD, e.MessageEdited(2, "Yes."), e.HistoryContinued(1, branch="other"), BAD)
    assert pairs(*events) == [("Yes.", "No.", "MessageEdited 3")]
    assert known(*events).contradictions == ()


def test_of_three_answers_each_left_one_is_worse_than_the_last():
    events = (ASKED, BAD, e.HistoryContinued(1), e.BotUttered("Maybe."), e.HistoryContinued(1))
    assert pairs(*events, GOOD) == [
        ("For how many?", "No.", "HistoryContinued 3 HistoryContinued 5"),
        ("For how many?", "Maybe.", "HistoryContinued 5"),
    ]


def test_evidence_in_a_shared_past_belongs_to_its_holder():
    events = (ASKED, BAD, e.MessageEdited(2, "Yes."), *GOES_ON)
    assert len(known(*events).preferences) == 1
    assert known(*events, shared=3).preferences == ()
    assert known(*events, e.MessageRated(5, 1), shared=5).verdicts != ()


def test_the_events_of_a_pair_reach_to_the_last_of_either_answer():
    (pair,) = known(ASKED, BAD, e.UserUtteranceReverted(0), ASKED, GOOD, *GOES_ON).preferences
    assert pair.bounds == (4, 5)
    (pair,) = known(*BRANCHES, e.HistoryContinued(2, branch="main"), *GOES_ON).preferences
    assert pair.bounds == (1, 4)
