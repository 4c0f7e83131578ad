"""Given who was identified before, then each event is about somebody."""

from __future__ import annotations

import pytest

from turnlog.domain import events as e
from turnlog.domain.subjects import (
    NO_ONE,
    OF_CONVERSATION,
    OF_EVERYBODY,
    OF_LOG,
    OF_UNIDENTIFIED,
    PERSON,
    Subject,
    about,
)

ANN, BOB = (frozenset([Subject(PERSON, name)]) for name in ("ann", "bob"))


def test_before_an_identification_events_are_about_the_unidentified_user() -> None:
    said = about("a", None, [e.UserUttered("hi"), e.BotUttered("hello")])
    assert said.events == (OF_UNIDENTIFIED,) * 2
    assert said.key == OF_UNIDENTIFIED


def test_an_identification_applies_from_its_own_event_on() -> None:
    events = [e.UserUttered("hi"), e.UserIdentified("bob"), e.UserUttered("I am Bob")]
    assert about("a", "ann", events).events == [ANN, BOB, BOB]


def test_an_event_that_merges_two_names_is_about_both() -> None:
    said = about("a", None, [e.IdentityMerged("ann", "bob"), e.UserUttered("hi")])
    assert said.events == [ANN | BOB, ANN]
    assert said.merged == [("ann", "bob")]


@pytest.mark.parametrize(
    ("event", "subjects"),
    [
        (e.UserUtteranceReverted(3), NO_ONE),
        (e.SlotsReset(timestamp=1.5), NO_ONE),
        (e.HistoryContinued(3), NO_ONE),
        (e.HistoryContinued(3, reason="Ann wants it"), OF_LOG),
        (e.ConversationDeleted("Ann asked"), OF_LOG),
        (e.ConversationRestarted(extra={"by": "Ann"}), OF_LOG),
        (e.KeyStoreUsed("00", actor="ops"), NO_ONE),
        (e.MessageRedacted(1), NO_ONE),
        (e.MessageRedacted(1, reason="Ann asked", slots=("pin",)), OF_LOG),
        (e.ProcessingRestricted("Ann asked"), OF_LOG),
        (e.SlotsDeclared(()), OF_CONVERSATION),
        (e.HistoryCompacted(1, 2, "Ann and Bob met"), OF_EVERYBODY),
        (e.MessageEdited(1, "Ann"), OF_EVERYBODY),
        (e.ToolCalled("find", {"name": "Ann"}), ANN),
    ],
)
def test_an_event_can_be_about_another_subject_than_the_user(
    event: e.Event, subjects: frozenset[Subject]
) -> None:
    assert list(about("a", "ann", [event]).events) == [subjects]


def test_the_key_is_about_the_subject_of_the_first_event_with_one() -> None:
    assert about("a", "ann", [e.UserUtteranceReverted(3), e.UserUttered("hi")]).key == ANN
    assert about("a", "ann", [e.UserUtteranceReverted(3)]).key == ANN
