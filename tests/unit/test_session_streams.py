"""Prompts in the fold, and the log's own streams."""

from __future__ import annotations

import pytest

import turnlog
from turnlog import (
    PromptAnswered,
    PromptArmed,
    StateEntered,
    ThreadStarted,
    UserUttered,
    ValueSet,
    VariableRemoved,
    VariableSet,
)
from turnlog.domain.fold import replay
from turnlog.domain.streams import GLOBALS
from turnlog.errors import InvalidEvent, UnknownConversation


def test_a_message_answers_the_armed_prompts_in_its_own_commit():
    with turnlog.open("memory:") as log:
        log.record("a", ThreadStarted(unit="u", state="s"), PromptArmed(token="t", due=1.0))
        events = log.record("a", UserUttered("hi")).events
        assert [type(event) for event in events] == [UserUttered, PromptAnswered]
        assert (events[1].token, events[1].cause) == ("t", 3)
        assert log.conversation("a").state.thread.prompts == {}


def test_an_imported_message_answers_nothing():
    with turnlog.open("memory:") as log:
        said = (PromptArmed(token="t"), UserUttered("hi"))
        log.import_dialogue(turnlog.Dialogue("a", said))
        assert list(log.conversation("a").events()) == list(said)


def test_a_thread_remembers_the_states_it_ran_and_goes_back():
    state = replay(
        [
            ThreadStarted(unit="u", state="one"),
            StateEntered(unit="u", state="wait"),
            StateEntered(unit="u", state="two", by="start"),
        ]
    )
    assert state.thread.path == ("u.one", "u.two")
    state = replay(
        [
            *[ThreadStarted(unit="u", state="one")],
            StateEntered(unit="u", state="two", by="start"),
            StateEntered(unit="u", state="one", by="back"),
        ]
    )
    assert state.thread.path == ("u.one",)


def test_removing_all_variables_of_a_unit_removes_the_unit():
    set_, gone = VariableSet(unit="u", name="x", value=1), VariableRemoved(unit="u")
    assert replay([set_, gone]).thread.variables == {}
    assert replay([set_, VariableRemoved(unit="u", name="x")]).thread.variables == {"u": {}}


def test_a_stream_of_the_log_is_never_a_conversation():
    with turnlog.open("memory:") as log:
        with pytest.raises(InvalidEvent, match="U\\+001F"):
            log.record(GLOBALS, ValueSet(key="k", value=1))
        with pytest.raises(InvalidEvent):
            log.import_request(turnlog.Dialogue(GLOBALS, ()))
        with pytest.raises(UnknownConversation):
            log.conversation(GLOBALS)
