"""Given a choice that shows something, when it is shortened, then nothing more can be omitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from turnlog.replay.trying.shortest import ShortestChoice


def shortened(things: Sequence[int], shows: Callable[[Sequence[int]], bool]) -> list[int] | None:
    async def asked(chosen: Sequence[int]) -> bool:
        return shows(chosen)

    return asyncio.run(ShortestChoice(things, asked).find())


@given(st.sets(st.integers(0, 30), min_size=1))
def test_only_what_is_needed_is_left(needed: set[int]):
    assert shortened(range(31), needed.issubset) == sorted(needed)


@given(st.integers(1, 40), st.data())
def test_as_many_things_that_count_are_left_as_are_needed(total: int, data: st.DataObject):
    count = data.draw(st.integers(1, total))
    found = shortened(range(total), lambda chosen: len(chosen) >= count)
    assert found is not None
    assert len(found) == count


@given(st.lists(st.frozensets(st.integers(0, 7)), max_size=40))
def test_no_single_thing_can_be_omitted(shown: list[frozenset[int]]):
    """Even where fewer things show it and more of them do not."""
    showing = {*map(tuple, map(sorted, shown)), tuple(range(8))} - {()}
    found = shortened(range(8), lambda chosen: tuple(chosen) in showing)
    assert found is not None
    assert tuple(found) in showing
    for index in range(len(found)):
        assert tuple(found[:index] + found[index + 1 :]) not in showing


def test_each_choice_is_tried_once_and_never_an_empty_one():
    tried: list[tuple[int, ...]] = []

    def shows(chosen: Sequence[int]) -> bool:
        tried.append(tuple(chosen))
        return {3, 11} <= set(chosen)

    assert shortened(range(12), shows) == [3, 11]
    assert len(tried) == len(set(tried))
    assert () not in tried


def test_nothing_is_found_when_the_whole_shows_nothing():
    assert shortened(range(5), lambda chosen: False) is None
