"""Whatever two answers contain, their differences have names, and an answer equals itself."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from turnlog.domain import events as e
from turnlog.domain.state import State
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.comparing.difference import differences
from turnlog.replay.comparing.items import FAMILIES
from turnlog.replay.divergence import Divergence
from turnlog.replay.grouping.group_key import key
from turnlog.replay.grouping.wording import LONGEST, difference, saying
from turnlog.testing.strategies import events

answers = st.lists(events(*FAMILIES, e.BotFailed), max_size=5)


def found(recorded: list[e.Event], actual: list[e.Event]) -> list[Divergence]:
    return [
        Divergence("c", 1, each.event or 1, "hi", each.kind, each.path, each.expected, each.actual,
                   key_of(each))
        for each in differences(list(enumerate(recorded, 2)), actual, Rules(), State())
    ]  # fmt: skip


def key_of(each: Any) -> str:
    bare = Divergence(
        "c", 1, 1, "hi", each.kind, each.path, each.expected, each.actual, slots={"a": "value"}
    )
    named = key(bare, each.compared, each.action)
    assert named.startswith(each.kind)
    assert key(bare, each.compared, each.action) == named
    return named


@given(answers, answers)
def test_every_difference_has_a_key(recorded: list[e.Event], actual: list[e.Event]) -> None:
    for one in found(recorded, actual):
        assert one.group
        assert one.event in range(1, len(recorded) + 2)


@given(answers)
def test_an_answer_equals_itself(recorded: list[e.Event]) -> None:
    assert found(recorded, recorded) == []


@given(st.text(max_size=300), st.text(max_size=300), st.lists(st.text(max_size=9), max_size=3))
def test_any_texts_have_a_short_wording(one: str, other: str, values: list[str]) -> None:
    assert len(difference(one, other, values)) <= LONGEST
    assert len(saying(one, values)) <= LONGEST
    assert difference(one, other, values) == difference(one, other, [*reversed(values)])
