"""Edges of the fold and of what is derived from it: what stays as it is, what counts once."""

from __future__ import annotations

from typing import Any

import pytest

from turnlog.domain import events as e
from turnlog.domain.actors import actor
from turnlog.domain.calls import answers
from turnlog.domain.fold import replay
from turnlog.domain.rewinds import applied
from turnlog.domain.slots import Slot
from turnlog.domain.state import PATH_KEPT


def test_a_declaration_leaves_a_value_that_was_set_alone() -> None:
    declared = e.SlotsDeclared((Slot("a", initial=1), Slot("b", initial=1)))
    assert replay([e.SlotSet("a", 2), declared]).slots == {"a": 2, "b": 1}


@pytest.mark.parametrize("value", ["", 0, False, {}])
def test_a_list_slot_does_not_wrap_an_empty_value(value: Any) -> None:
    state = replay([e.SlotsDeclared((Slot("tags", "list"),)), e.SlotSet("tags", value)])
    assert state.slots == {"tags": value}


def test_the_rejection_of_another_action_leaves_the_form_alone() -> None:
    loop = replay([e.LoopActivated("form"), e.ActionRejected("other")]).context.loop
    assert loop is not None
    assert not loop.rejected


def test_a_tag_is_kept_once_and_in_order() -> None:
    tagged = [e.ConversationTagged(("b", "a")), e.ConversationTagged(("c", "b"))]
    assert replay(tagged).tags == ("b", "a", "c")
    assert replay([*tagged, e.ConversationUntagged(("a", "x"))]).tags == ("b", "c")


def test_a_handover_without_a_name_goes_to_a_human() -> None:
    assert replay([e.HandoverStarted()]).handover == "human"
    assert replay([e.HandoverStarted("anna"), e.HandoverEnded()]).handover is None


def test_the_last_time_is_that_of_the_last_event_that_has_one() -> None:
    times = (5.0, 9.0, 7.0, None)
    state = replay([e.UserUttered("hi", timestamp=time) for time in times])
    assert (state.started, state.last) == (5.0, 7.0)


def test_a_thread_remembers_the_states_it_can_go_back_to() -> None:
    entered = [e.StateEntered("unit", str(n), by="start") for n in range(PATH_KEPT + 5)]
    thread = replay(entered).thread
    assert thread is not None
    assert thread.path == tuple(f"unit.{n}" for n in range(5, PATH_KEPT + 5))


def test_a_result_answers_the_nearest_earlier_call_of_its_id_that_has_none() -> None:
    first, second, other = (e.ToolReturned(text, call_id="c") for text in ("1", "2", "3"))
    call = e.ToolCalled("t", call_id="c")
    listed = [call, call, e.ToolCalled("t", call_id="d"), first, second, other]
    assert answers(enumerate(listed, 1)) == {2: first, 1: second}


def test_an_event_names_its_actor_itself_or_its_type_does() -> None:
    assert actor(e.UserUttered("hi")) == "user"
    assert actor(e.ToolCalled("t")) == "bot"
    assert actor(e.ToolCalled("t", actor="user")) == "user"
    assert actor(e.ConversationTagged(("t",))) == "system"


@pytest.mark.parametrize("clears", [e.ConversationRestarted(), e.SessionStarted()])
def test_the_events_that_count_begin_with_the_last_restart_or_session(clears: e.Event) -> None:
    listed = [
        e.UserUttered("a"),
        e.SessionStarted(),
        e.UserUttered("b"),
        clears,
        e.UserUttered("c"),
    ]
    newest_first = list(enumerate(listed, 1))[::-1]
    assert [number for number, _ in applied(newest_first)] == [5, 4]
