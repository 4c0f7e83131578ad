"""Events in their envelope: what a reader of a log learns about each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import (
    BotFailed,
    BotUttered,
    Commit,
    ConversationRestarted,
    Dialogue,
    EventErased,
    MessageEdited,
    MessageRedacted,
    SlotSet,
    SystemInstructed,
    ToolCalled,
    ToolReturned,
    Turnlog,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.domain.message_parts import Text, ToolCall, ToolResult
from turnlog.domain.recorded import traced
from turnlog.errors import ConversationError, OutOfRange


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/chat.db"


@pytest.fixture
def log(url: str) -> Iterator[Turnlog]:
    clock = iter(float(second) for second in range(1000, 100_000))
    with turnlog.open(url, clock=lambda: next(clock)) as opened:
        opened.record("alice", BotUttered("hello"))
        opened.record("alice", UserUttered("to Rome"), SlotSet("city", "Rome"))
        opened.record("bob", UserUttered("hi"))
        opened.record("alice", BotUttered("Rome, fine"))
        opened.record("alice", UserUttered("to Oslo"), SlotSet("city", "Oslo"))
        opened.record("alice", UserUtteranceReverted())
        yield opened


def test_an_envelope_knows_number_turn_version_position_and_time(log: Turnlog) -> None:
    recorded = list(log.conversation("alice").recorded())
    found = [(r.number, r.turn, r.version, r.position) for r in recorded]
    assert found == [
        (1, 0, 1, 1), (2, 1, 2, 2), (3, 1, 2, 2), (4, 1, 3, 4), (5, 2, 4, 5), (6, 2, 4, 5),
        (7, 2, 5, 6),
    ]  # fmt: skip
    assert [r.recorded for r in recorded][:2] == [1000.0, 1001.0]


def test_a_user_message_that_was_erased_opens_its_turn() -> None:
    events = (EventErased("UserUttered"), SlotSet("city", "Rome"), EventErased("SlotSet"))
    commit = Commit("alice", 3, 7, 2, 1000.0, events)
    assert [(r.number, r.turn) for r in commit.recorded_events()] == [(7, 3), (8, 3), (9, 3)]
    assert [(r.number, r.turn) for r in commit.recorded_newest_first(8)] == [(8, 3), (7, 3)]
    assert [turn.number for turn in Dialogue("alice", events).turns()] == [1]


def test_a_retracted_event_and_its_rewind_name_each_other(log: Turnlog) -> None:
    alice = log.conversation("alice")
    taken = [(r.number, r.taken_back) for r in alice.recorded()]
    assert taken == [(1, None), (2, None), (3, None), (4, None), (5, 7), (6, 7), (7, None)]
    assert [(r.number, r.taken_back) for r in alice.newest_first()] == taken[::-1]
    assert list(alice.recorded(after=5)) == list(alice.recorded())[5:]


def test_an_earlier_moment_ends_where_it_was(log: Turnlog) -> None:
    earlier = log.conversation("alice", turn=1)
    assert [r.number for r in earlier.recorded()] == [1, 2, 3, 4]
    assert [r.number for r in earlier.newest_first()] == [4, 3, 2, 1]
    assert [r.event for r in earlier.recorded()] == list(earlier.events())


def test_a_staged_event_is_recorded_without_a_position(log: Turnlog) -> None:
    alice = log.conversation("alice")
    alice.stage(UserUttered("and now?"), recorded=5.0, now=5.0)
    *_, last = alice.recorded()
    assert (last.number, last.turn, last.version, last.position) == (8, 3, 6, None)
    assert next(iter(alice.newest_first())) == last


def test_as_dict_is_the_line_of_the_command(log: Turnlog, url: str) -> None:
    log.record("alice", MessageRedacted(2))
    lines = [recorded.as_dict() for recorded in log.conversation("alice").recorded()]
    printed = run("log", "alice", "--json", "--db", url).out.splitlines()
    assert [json.loads(line) for line in printed] == json.loads(json.dumps(lines))
    assert lines[1]["redacted"] is True
    assert lines[4]["taken_back"] == 7


def test_an_event_has_its_documented_names() -> None:
    assert SlotSet("city", "Rome", cause=3).as_dict() == {
        "type": "SlotSet", "name": "city", "value": "Rome", "cause": 3,
    }  # fmt: skip


def test_a_trace_shows_the_slots_that_each_event_changed(log: Turnlog) -> None:
    lines = traced(log.conversation("alice").recorded())
    changes = [(t.number, dict(t.slots)) for t in lines]
    assert [item for item in changes if item[1]] == [
        (3, {"city": (None, "Rome")}), (6, {"city": ("Rome", "Oslo")}),
        (7, {"city": ("Oslo", "Rome")}),
    ]  # fmt: skip


def test_messages_are_those_that_count_with_their_last_edit(log: Turnlog) -> None:
    log.record("alice", UserUttered("to Bonn"), BotFailed("error", "boom"))
    log.record("alice", MessageEdited(4, "Rome it is"))
    said = [(m.role, m.text, m.event) for m in log.conversation("alice").messages()]
    assert said == [
        ("assistant", "hello", 1),
        ("user", "to Rome", 2),
        ("assistant", "Rome it is", 4),
    ]


def test_messages_omit_the_turn_of_a_redacted_one(log: Turnlog) -> None:
    log.record("alice", MessageRedacted(2))
    assert [m.text for m in log.conversation("alice").messages()] == ["hello"]


def test_calls_belong_to_their_message_and_results_answer_them(log: Turnlog) -> None:
    log.record(
        "carol",
        SystemInstructed("be brief"),
        UserUttered("weather?"),
        BotUttered("let me see"),
        ToolCalled("weather", {"city": "Rome"}, "c1", cause=3),
        ToolCalled("news", '{"broken', "c2", cause=3),
        ToolReturned({"sun": True}, "c2"),
        ToolReturned("12 °C", "c1", "weather"),
    )
    found = list(log.conversation("carol").messages())
    assert [m.role for m in found] == ["system", "user", "assistant", "tool", "tool"]
    assert found[2].parts == (
        Text("let me see"),
        ToolCall("c1", "weather", {"city": "Rome"}),
        ToolCall("c2", "news", '{"broken', '{"broken'),
    )
    assert found[3].parts == (ToolResult("c2", None, {"sun": True}),)
    assert found[4].as_openai() == {
        "role": "tool", "tool_call_id": "c1", "name": "weather", "content": "12 °C",
    }  # fmt: skip
    assert found[2].as_openai()["tool_calls"][0] == {
        "id": "c1", "type": "function",
        "function": {"name": "weather", "arguments": '{"city":"Rome"}'},
    }  # fmt: skip


def test_a_call_after_a_restart_is_a_separate_message(log: Turnlog) -> None:
    log.record("dora", UserUttered("a"), ToolCalled("t", call_id="1"), ConversationRestarted())
    log.record("dora", UserUttered("b"), ToolCalled("t", call_id="2"))
    assert [m.role for m in log.conversation("dora").messages()] == [
        "user", "assistant", "user", "assistant",
    ]  # fmt: skip


def test_a_log_and_a_conversation_have_a_readable_repr(log: Turnlog, url: str) -> None:
    assert repr(log) == f"Turnlog('{url}')"
    assert repr(log.conversation("alice")) == "Conversation('alice', turn=2, event=7)"


def test_a_notebook_shows_a_dialogue_and_runs_none_of_its_words(log: Turnlog) -> None:
    log.record("alice", UserUttered("<script>alert(1)</script>"))
    shown = log.conversation("alice")._repr_html_()
    assert "<b>to Rome</b>" in shown
    assert "<s><b>to Oslo</b></s>" in shown
    assert "<script>" not in shown


@pytest.mark.parametrize(
    "moment",
    [{"version": 0}, {"version": -1}, {"version": 9}, {"event": -1}, {"turn": 1, "event": 0}],
)
def test_an_unknown_moment_is_out_of_range(log: Turnlog, moment: dict[str, int]) -> None:
    with pytest.raises(OutOfRange):
        log.conversation("alice", **moment)


def test_no_event_precedes_the_first(log: Turnlog) -> None:
    alice = log.conversation("alice")
    assert [alice.event(0), alice.event(-1), alice.event(8)] == [None, None, None]
    assert alice.event(1) == next(alice.events())


def test_an_earlier_moment_decides_on_its_own_events_and_is_not_saved(log: Turnlog) -> None:
    earlier = log.conversation("alice", event=3)
    staged = earlier.stage(UserUtteranceReverted(), recorded=1.0)
    assert getattr(staged.events[0], "to", None) == 1
    with pytest.raises(ConversationError, match="earlier moment"):
        log.save(earlier)
