"""Counts differences by cause (ADR 21)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from turnlog.replay.divergence import Divergence


class DivergenceGroup(msgspec.Struct, frozen=True):
    """Divergences with one key. example: the one in the earliest turn, then with the least id."""

    group: str
    conversations: int
    turns: int
    example: Divergence

    def as_dict(self) -> dict[str, Any]:
        """The line that `replay --json` prints after the divergences."""
        return {"kind": "group", **asdict(self), "example": asdict(self.example)}


class Grouping:
    """Counts divergences by group, conversation by conversation."""

    def __init__(self) -> None:
        self._groups: dict[str, DivergenceGroup] = {}
        self._last: dict[str, tuple[str, int]] = {}

    def add(self, divergences: Iterable[Divergence]) -> None:
        """Count the divergences of one conversation."""
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
    """The group with that name, or the groups that begin with it."""
    listed = list(dict.fromkeys(keys))
    return [name] if name in listed else [key for key in listed if key.startswith(name)]


def grouped(divergences: Iterable[Divergence]) -> list[DivergenceGroup]:
    """The groups of divergences, the largest first; divergences of one conversation must be
    adjacent.
    """
    grouping = Grouping()
    grouping.add(divergences)
    return grouping.groups()
