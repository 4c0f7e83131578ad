"""Events of agents: what a redaction hides in them, and that Rasa's format lacks them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnlog
from turnlog import (
    AnswerMeasured,
    ForeignRecorded,
    ForeignStateChanged,
    MediaAdded,
    MessageRedacted,
    ReasoningAdded,
    RunResumed,
    ToolCalled,
    Turnlog,
    Usage,
    UserUttered,
)
from turnlog.domain import agent_events, ledger_events, part_events
from turnlog.domain.events import EVENTS, Event
from turnlog.serializers.rasa.writer import to_rasa
from turnlog.testing import strategies

NEW = [
    event for event in EVENTS
    if event.__module__ in {m.__name__ for m in (agent_events, ledger_events, part_events)}
]  # fmt: skip


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as log:
        yield log


def redacted(log: Turnlog, *events: Event) -> list[Event]:
    """All events, as they are shown after the second was redacted."""
    log.record("a", *events, MessageRedacted(2))
    return list(log.conversation("a").events())


@given(st.lists(strategies.events(*NEW)))
def test_agent_events_do_not_exist_in_rasa_and_each_is_counted_as_lost(events: list[Event]) -> None:
    lost = Counter[str]()
    assert list(to_rasa(events, lost=lost)) == []
    assert lost == Counter(type(event).__name__ for event in events)
    assert len(NEW) == 22


def test_framework_json_shows_nothing_redacted(log: Turnlog) -> None:
    body = json.dumps({"messages": ["my pin is 471193"], "kept": "state"}).encode()
    shown = redacted(log, ForeignRecorded("x", "state", body), UserUttered("my pin is 471193"))
    assert isinstance(shown[0], ForeignRecorded)
    assert json.loads(shown[0].body) == {"messages": ["█" * 16], "kept": "state"}


def test_opaque_bytes_are_hidden_from_a_redacted_message_on(log: Turnlog) -> None:
    before, after = ForeignRecorded("x", "state", b"\x80pin"), ForeignRecorded("x", "s", b"\x80pin")
    shown = redacted(log, before, UserUttered("my pin is 471193"), after)
    assert [event.body for event in shown if isinstance(event, ForeignRecorded)] == [
        b"\x80pin",
        b"",
    ]
    raw = log.history("a").events()
    assert [e.body for e in raw if isinstance(e, ForeignRecorded)] == [b"\x80pin"] * 2


def test_without_a_redaction_bytes_round_trip_unchanged(log: Turnlog) -> None:
    foreign = ForeignRecorded("x", "state", bytes(range(256)), timestamp=1.0)
    log.record("a", foreign)
    assert list(log.conversation("a").events()) == [foreign]


def test_state_reasoning_and_resumed_values_show_nothing_redacted(log: Turnlog) -> None:
    shown = redacted(
        log, UserUttered("hi"), UserUttered("my pin is 471193"),
        ReasoningAdded("they say 471193"), ForeignStateChanged("adk", {"user:pin": "471193"}),
        RunResumed("r", {"pin": 471193}), MediaAdded("file", filename="471193.pdf"),
    )  # fmt: skip
    assert "471193" not in repr(shown)
    assert "they say ██████" in repr(shown)


def test_raw_arguments_are_removed_where_the_parsed_ones_are_masked(log: Turnlog) -> None:
    call = ToolCalled("check", {"pin": "471193"}, raw='{"pin":  "471193"}')
    other = ToolCalled("check", {"a": 1}, raw='{"a":  1}')
    *_, masked, same, _ = redacted(log, UserUttered("hi"), UserUttered("pin 471193"), call, other)
    assert isinstance(masked, ToolCalled)
    assert (masked.arguments, masked.raw) == ({"pin": "██████"}, None)
    assert isinstance(same, ToolCalled)
    assert same.raw == '{"a":  1}'


def test_the_usage_of_an_answer_is_hidden_with_it(log: Turnlog) -> None:
    measured = AnswerMeasured(2, Usage(input=7, details={"prompt": "471193"}), finish="stop")
    shown = redacted(log, UserUttered("hi"), turnlog.BotUttered("so"), measured)
    hidden = shown[2]
    assert isinstance(hidden, AnswerMeasured)
    assert (hidden.usage, hidden.finish) == (None, "stop")
