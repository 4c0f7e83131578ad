"""The shortest choice of some things that still shows what all of them show.

Things are removed from the front, as many together as possible: one, two, four, … and then half of
what was too much, as property-based testing shrinks its lists.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Thing = TypeVar("Thing")

Indexes = tuple[int, ...]


class ShortestChoice(Generic[Thing]):
    """shows: whether a choice, in order, still shows it; called once for each choice."""

    def __init__(
        self, things: Sequence[Thing], shows: Callable[[Sequence[Thing]], Awaitable[bool]]
    ) -> None:
        self._things = things
        self._shows = shows
        self._known: dict[Indexes, bool] = {}

    @property
    def asked(self) -> int:
        """How many choices were tried."""
        return len(self._known)

    async def find(self) -> list[Thing] | None:
        """A choice from which no single thing can be removed; None if even all things do not show
        it.
        """
        chosen: Indexes | None = None
        left: Indexes = tuple(range(len(self._things)))
        if not await self._does(left):
            return None
        while left != chosen:
            chosen, left = left, await self._shortened(left)
        return [self._things[index] for index in left]

    async def _shortened(self, chosen: Indexes) -> Indexes:
        """The choice without the things that can be removed, from the front."""
        start = 0
        while start < len(chosen):
            count = await self._leaving_out(chosen, start)
            chosen = chosen[:start] + chosen[start + count :]
            start += 1
        return chosen

    async def _leaving_out(self, chosen: Indexes, start: int) -> int:
        """How many things can be removed from there on, one after the other."""
        low, high = 0, 1
        while start + high <= len(chosen) and await self._without(chosen, start, high):
            low, high = high, high * 2
        high = min(high, len(chosen) - start + 1)
        while high - low > 1:
            middle = (low + high) // 2
            if await self._without(chosen, start, middle):
                low = middle
            else:
                high = middle
        return low

    async def _without(self, chosen: Indexes, start: int, count: int) -> bool:
        return await self._does(chosen[:start] + chosen[start + count :])

    async def _does(self, chosen: Indexes) -> bool:
        if chosen and chosen not in self._known:
            things = [self._things[index] for index in chosen]
            self._known[chosen] = await self._shows(things)
        return bool(chosen) and self._known[chosen]


async def fewest(
    things: Sequence[Thing], shows: Callable[[Sequence[Thing]], Awaitable[bool]]
) -> list[Thing]:
    """The same for things that may all be removed; shows: True for all of them."""
    if not things or await shows(()):
        return []
    return await ShortestChoice(things, shows).find() or list(things)
