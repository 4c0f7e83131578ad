"""Which result answers which call, and that a model finds every call answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import turnlog
from turnlog import (
    BotUttered,
    Event,
    HistoryContinued,
    HistoryReplaced,
    MessageRedacted,
    ToolCalled,
    ToolReturned,
    Turnlog,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.domain.calls import answers
from turnlog.domain.message import Message
from turnlog.domain.message_context import UNANSWERED, for_model
from turnlog.domain.message_equality import alike
from turnlog.domain.message_parts import ToolCall, ToolResult
from turnlog.domain.message_recording import recorded_as

ON_B = HistoryContinued(2, branch="b")


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as log:
        yield log


def said(log: Turnlog, *events: Event, **how: Any) -> list[Message]:
    log.record("a", *events)
    return list(log.conversation("a").messages(**how))


def results(found: list[Message]) -> list[tuple[str, Any]]:
    """The result of each call, and whether it is the stand-in for a missing one."""
    parts = [part for message in found for part in message.parts]
    return [(part.call_id, part.content) for part in parts if isinstance(part, ToolResult)]


def test_each_result_of_several_calls_in_one_message_comes_with_its_call() -> None:
    one, two = (Message("assistant", (ToolCall(id, "f"),)) for id in ("1", "2"))
    both = Message("tool", (ToolResult("2", "f", "b"), ToolResult("9"), ToolResult("1", "f", "a")))
    fit = for_model([one, two, both])
    assert [message.role for message in fit] == ["assistant", "tool", "assistant", "tool"]
    assert results(fit) == [("1", "a"), ("2", "b")]


def test_a_result_of_a_provider_tool_answers_no_call_of_ours(log: Turnlog) -> None:
    found = said(
        log, UserUttered("go"), ToolCalled("f", {}, "1"),
        ToolCalled("search", {}, "1", server=True), ToolReturned("found", "1", server=True),
        ToolReturned("done", "1"), for_model=True,
    )  # fmt: skip
    assert sorted(results(found)) == [("1", "done"), ("1", "found")]


def test_results_without_an_id_answer_the_nearest_calls_without_one(log: Turnlog) -> None:
    """Whatever a crash left open before; parallel calls in order."""
    found = said(
        log, UserUttered("go"), ToolCalled("crashed"), UserUttered("again"), ToolCalled("a"),
        ToolCalled("b"), ToolReturned("of a"), ToolReturned("of b"), for_model=True,
    )  # fmt: skip
    answered = [("call_2", UNANSWERED), ("call_4", "of a"), ("call_5", "of b")]
    assert results(found) == answered
    by_call = answers(enumerate(log.conversation("a").events(), 1))
    assert {call: result.result for call, result in by_call.items()} == {4: "of a", 5: "of b"}


def test_an_empty_id_stays_and_pairs_like_a_missing_one() -> None:
    """Some providers give each call the id ""."""
    pair = Message("assistant", (ToolCall("", "f"), ToolCall("", "g")))
    of_f, of_g = (Message("tool", (ToolResult("", None, of),)) for of in ("of f", "of g"))
    with turnlog.open("memory:") as log:
        log.record("a", *recorded_as([pair, of_f, of_g, pair, of_f]))
        found = list(log.conversation("a").messages())
        answered = answers(enumerate(log.conversation("a").events(), 1))
    assert [[p.id for p in m.parts if isinstance(p, ToolCall)] for m in found[:1]] == [["", ""]]
    assert results(found) == [("", "of f"), ("", "of g"), ("", "of f")]
    assert {call: result.result for call, result in answered.items()} == {
        1: "of f", 2: "of g", 5: "of f",
    }  # fmt: skip
    assert [m.role for m in for_model([pair, pair, of_f])] == ["assistant", "tool", "tool"] * 2
    assert alike(found, [pair, Message("tool", (ToolResult("", "f", "of f"),)), of_g, pair, of_f])


def test_a_call_without_an_id_gets_one() -> None:
    with turnlog.open("memory:") as log:
        log.record("a", *recorded_as([Message("assistant", (ToolCall(None, "f"),))]))
        (message,) = log.conversation("a").messages()
    assert message.parts == (ToolCall("call_1", "f"),)


def test_the_last_messages_for_a_model_do_not_begin_with_a_result(log: Turnlog) -> None:
    said(
        log, UserUttered("go"), ToolCalled("f", {}, "1"), ToolReturned("done", "1"),
        BotUttered("done"), UserUttered("and?"), ToolCalled("g", {}, "1"),
    )  # fmt: skip
    last = log.conversation("a").last
    assert [m.role for m in last(4)] == ["tool", "assistant", "user", "assistant"]
    assert [m.role for m in last(5, for_model=True)] == ["assistant", "user", "assistant", "tool"]
    assert last(1, for_model=True) == []
    assert results(last(2, for_model=True)) == [("1", UNANSWERED)]


@pytest.mark.parametrize(
    ("later", "calls"),
    [
        ((HistoryContinued(2),), [("1", UNANSWERED)]),
        ((HistoryReplaced(2),), [("1", UNANSWERED)]),
        ((ON_B, ToolReturned("other", "1")), [("1", "other")]),
        (
            (ON_B, ToolReturned("other", "1"), HistoryContinued(3, branch="main")),
            [("1", "done")],
        ),
        ((MessageRedacted(3),), []),
        ((MessageRedacted(2),), []),
        ((UserUtteranceReverted(),), []),
        ((ToolCalled("f", {}, "1"), ToolReturned("2nd", "1")), [("1", "done"), ("1", "2nd")]),
        ((ToolReturned("late", "1"),), [("1", "done")]),
    ],
)  # fmt: skip
def test_a_call_whose_result_was_removed_is_still_answered(
    log: Turnlog, later: tuple[Event, ...], calls: list[tuple[str, Any]]
) -> None:
    events = UserUttered("go"), ToolCalled("f", {}, "1"), ToolReturned("done", "1")
    assert results(said(log, *events, *later, for_model=True)) == calls


def test_a_fork_between_a_call_and_its_result_closes_the_call(log: Turnlog) -> None:
    said(log, UserUttered("go"), ToolCalled("f", {}, "1"), ToolReturned("done", "1"))
    log.fork("a", event=2, as_="b")
    forked = log.conversation("b")
    assert results(list(forked.messages(for_model=True))) == [("1", UNANSWERED)]
    log.record("b", ToolReturned("mine", "1"))
    assert results(list(log.conversation("b").messages(for_model=True))) == [("1", "mine")]
