"""Differences of one cause, and how many there are of each (ADR 21)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from turnlog.replay.divergence import Divergence


class DivergenceGroup(msgspec.Struct, frozen=True):
    """Divergences of one key. example: the one of the fewest turns, of these the least id."""

    group: str
    conversations: int
    turns: int
    example: Divergence

    def as_dict(self) -> dict[str, Any]:
        """The line that `replay --json` prints after the divergences."""
        return {"kind": "group", **asdict(self), "example": asdict(self.example)}


class Grouping:
    """Counts divergences by their groups, as they come, conversation by conversation."""

    def __init__(self) -> None:
        self._groups: dict[str, DivergenceGroup] = {}
        self._last: dict[str, tuple[str, int]] = {}

    def add(self, divergences: Iterable[Divergence]) -> None:
        for each in divergences:
            group = self._groups.get(each.group) or DivergenceGroup(each.group, 0, 0, each)
            last, turn = self._last.get(each.group), (each.conversation, each.turn)
            self._last[each.group] = turn
            self._groups[each.group] = replace(
                group,
                conversations=group.conversations + (last is None or last[0] != turn[0]),
                turns=group.turns + (last != turn),
                example=min(group.example, each, key=_length),
            )

    def groups(self) -> list[DivergenceGroup]:
        """The largest first."""
        return sorted(self._groups.values(), key=lambda g: (-g.conversations, -g.turns, g.group))


def _length(divergence: Divergence) -> tuple[int, str]:
    return divergence.turn, divergence.conversation


def begun(keys: Iterable[str], name: str) -> list[str]:
    """The group of that name, or else those that begin so."""
    listed = list(dict.fromkeys(keys))
    return [name] if name in listed else [key for key in listed if key.startswith(name)]


def grouped(divergences: Iterable[Divergence]) -> list[DivergenceGroup]:
    """The groups of divergences, the largest first; those of a conversation follow each other."""
    grouping = Grouping()
    grouping.add(divergences)
    return grouping.groups()
