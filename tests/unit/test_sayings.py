"""Given two divergences of one group, then they say the same, or something else."""

from __future__ import annotations

from typing import Any

import pytest

from turnlog.replay import Divergence, Rules
from turnlog.replay.divergence import Kind
from turnlog.replay.runs.saying import alike, saying


def diverging(kind: Kind, expected: Any, actual: Any) -> Divergence:
    return Divergence(
        conversation="c", turn=1, event=1, message=None, kind=kind, expected=expected,
        actual=actual, group="g",
    )  # fmt: skip


def said(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "BotUttered", "text": text, **fields}


def slot(value: Any) -> dict[str, Any]:
    return {"type": "SlotSet", "name": "a", "value": value}


def called(id: str = "1", **arguments: Any) -> dict[str, Any]:
    return {"type": "ToolCalled", "name": "f", "arguments": arguments, "call_id": id}


def failed(detail: str, trace: str = "") -> dict[str, Any]:
    return {"type": "BotFailed", "kind": "error", "detail": detail, "extra": {"traceback": trace}}


def understood(name: str, confidence: float) -> dict[str, Any]:
    return {"type": "MessageUnderstood", "intent": {"name": name, "confidence": confidence}}


def order(*names: str) -> list[dict[str, Any]]:
    return [{"type": "ActionExecuted", "name": name} for name in names]


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("text", (said("3 for Ann so far"), said("3 for Ann in all")),
                 (said("4 for Bob so far"), said("4 for Bob in all"))),
        ("tool_arguments", (called(q="a", n=1), called(q="b", n=1)),
                           (called("2", q="a", n=7), called("3", q="b", n=7))),
        ("intent", (understood("a", 0.9), understood("b", 0.8)),
                   (understood("a", 0.1), understood("b", 0.2))),
        ("missing", (slot(1), None), (slot(2), None)),
        ("extra", (None, said("You have 3")), (None, said("You have 4"))),
        ("error", (slot(1), failed("KeyError: 'x' at 0x7fa1", "line 3")),
                  (slot(2), failed("KeyError: 'x' at 0x8fb2", "line 4"))),
        ("order", (order("a", "b"), order("b", "a")), (order("a", "b"), order("b", "a"))),
    ],
)  # fmt: skip
def test_these_say_the_same(kind: Kind, one: tuple[Any, Any], other: tuple[Any, Any]):
    first, second = (saying(diverging(kind, *pair), Rules()) for pair in (one, other))
    assert first == second


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("text", (said("It is 3"), said("It is 4")), (said("It is 3"), said("It is 5"))),
        ("text", (said("3 so far"), said("3 in all")), (said("3 so far"), said("3 in total"))),
        ("text", (said("a"), said("b")), (said("a"), said("b", data={"image": "x"}))),
        ("slot", (slot(3), slot(4)), (slot(3), slot(5))),
        ("slot", (slot("Rome"), slot("Bonn")), (slot("Rome"), slot("Oslo"))),
        ("slot", (slot(1), slot(1.0)), (slot(1), slot(True))),
        ("tool_arguments", (called(q="a"), called(q="b")), (called(q="a"), called(q="c"))),
        ("tool_arguments", (called(q="a"), called()), (called(q="a"), called(n=1))),
        ("intent", (understood("a", 1), understood("b", 1)),
                   (understood("a", 1), understood("c", 1))),
        ("extra", (None, slot(1)), (None, slot(2))),
        ("error", (slot(1), failed("KeyError: 'x'")), (slot(1), failed("KeyError: 'y'"))),
        ("error", (failed("KeyError"), None), (None, failed("KeyError"))),
        ("order", (order("a", "b"), order("b", "a")), (order("a", "b", "c"), order("b", "a", "c"))),
    ],
)  # fmt: skip
def test_these_say_different_things(kind: Kind, one: tuple[Any, Any], other: tuple[Any, Any]):
    first, second = (diverging(kind, *pair) for pair in (one, other))
    assert saying(first, Rules()) != saying(second, Rules())
    assert not alike(first, second, Rules())


def test_within_one_turn_every_number_counts():
    one, other = (diverging("text", said("3 and 4"), said(text)) for text in ("4 or 3", "3 or 4"))
    assert saying(one, Rules()) == saying(other, Rules())
    assert not alike(one, other, Rules())
    assert alike(one, one, Rules())


def test_masked_text_is_not_compared():
    rules = Rules(masks=(r"at \d+",))
    pairs = (("now at 1", "then at 2"), ("now at 3", "then at 4"))
    one, other = (diverging("text", said(was), said(now)) for was, now in pairs)
    assert saying(one, rules) == saying(other, rules)
    assert saying(one, Rules()) != saying(other, Rules())
    assert alike(one, other, rules)
