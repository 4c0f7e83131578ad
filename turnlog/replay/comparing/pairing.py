"""Which events of two answers correspond, and where in them they differ."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from turnlog.replay.comparing.items import Item


def surplus(items: Sequence[Item], others: Sequence[Item]) -> list[Item]:
    """The items that the other answer lacks, each as often as it is missing."""
    left = Counter(item.content for item in others)
    kept: list[Item] = []
    for item in items:
        if left[item.content]:
            left[item.content] -= 1
        else:
            kept.append(item)
    return kept


def paired(lost: Sequence[Item], new: Sequence[Item]) -> list[tuple[Item, Item | None]]:
    """Each missing item with the new one that corresponds to it: of its name, or else of its
    family.
    """
    pairs: dict[int, Item] = {}
    taken: set[int] = set()
    for field in ("name", "family"):
        alike: defaultdict[str, deque[int]] = defaultdict(deque)
        for place, other in enumerate(new):
            if place not in taken:
                alike[getattr(other, field)].append(place)
        for index, item in enumerate(lost):
            if index not in pairs and (places := alike[getattr(item, field)]):
                taken.add(places[0])
                pairs[index] = new[places.popleft()]
    return [(item, pairs.get(index)) for index, item in enumerate(lost)]


def place(item: Item, other: Item) -> Iterator[str]:
    """The place in the recorded event; what was understood is compared in any order."""
    one, another = item.says, other.says
    if item.family != "understood" or one.get("intent") != another.get("intent"):
        return _path(one, another)
    left, new = item.entities, other.entities
    lost = [index for index, entity in enumerate(left) if entity not in new]
    found = [entity for entity in new if entity not in left]
    if len(lost) != 1 or len(found) > 1:
        return iter(("entities",))
    within = _path(left[lost[0]], found[0]) if found else iter(())
    return chain(("entities", str(lost[0])), within)


def _path(one: Any, other: Any) -> Iterator[str]:
    """The keys that lead to the place where two values differ, as far as there is a single one."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [key for key in {**one, **other} if one.get(key) != other.get(key)]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        keys = [i for i, item in enumerate(one) if item != other[i]]
    else:
        return
    if len(keys) == 1:
        yield str(keys[0])
        if isinstance(one, list) or (keys[0] in one and keys[0] in other):
            yield from _path(one[keys[0]], other[keys[0]])
