"""Differences of one cause: the key they share, and how many there are of each (ADR 21)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from turnlog.replay.divergence import Divergence

NUMBER = re.compile(r"\d[\d.,:]*")


def key(divergence: Divergence) -> str:
    """The key of a divergence's group, from what the divergence alone says."""
    expected, actual = divergence.expected, divergence.actual
    where = re.sub(r"\b\d+\b", "*", divergence.path)
    parts = [divergence.kind, _about(divergence), where]
    if divergence.kind == "text" and divergence.path == "text":
        parts.append(_middles(str(expected.get("text")), str(actual.get("text"))))
    return " ".join(part for part in parts if part)


def _about(divergence: Divergence) -> str:
    """What it is about, in a few words that others of its cause share."""
    expected, actual = divergence.expected, divergence.actual
    match divergence.kind:
        case "missing":
            return _short(expected)
        case "extra":
            return _short(actual)
        case "order":
            return f"{_short(expected[0])} before {_short(actual[0])}"
        case "intent":
            return f"{_intent(expected)} → {_intent(actual)}"
        case "error" | "timeout":
            detail = (actual or expected or {}).get("detail")
            return NUMBER.sub("#", str(detail or "an answer"))[:120]
        case "text" | "entity":
            return _short(expected)
    one, other = _short(expected), _short(actual)
    return one if one == other else f"{one} → {other}"


def _short(event: Mapping[str, Any] | None) -> str:
    """An event's type and name."""
    if event is None:
        return "nothing"
    return " ".join(str(event[key]) for key in ("type", "name") if event.get(key) is not None)


def _intent(event: Mapping[str, Any] | None) -> str:
    return str(((event or {}).get("intent") or {}).get("name"))


def _middles(one: str, other: str) -> str:
    """The words between those that both begin with and those that both end with."""
    words, others = one.split(), other.split()
    while words and others and words[0] == others[0]:
        words, others = words[1:], others[1:]
    while words and others and words[-1] == others[-1]:
        words, others = words[:-1], others[:-1]
    middles = (NUMBER.sub("#", " ".join(middle)) for middle in (words, others))
    return " → ".join(f"“{middle}”" for middle in middles)


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
        self._last: dict[str, str] = {}

    def add(self, divergences: Iterable[Divergence]) -> None:
        for each in divergences:
            group = self._groups.get(each.group) or DivergenceGroup(each.group, 0, 0, each)
            is_new = self._last.get(each.group) != each.conversation
            self._last[each.group] = each.conversation
            self._groups[each.group] = replace(
                group,
                conversations=group.conversations + is_new,
                turns=group.turns + 1,
                example=min(group.example, each, key=_length),
            )

    def groups(self) -> list[DivergenceGroup]:
        """The largest first."""
        return sorted(self._groups.values(), key=lambda g: (-g.conversations, -g.turns, g.group))


def _length(divergence: Divergence) -> tuple[int, str]:
    return divergence.turn, divergence.conversation


def grouped(divergences: Iterable[Divergence]) -> list[DivergenceGroup]:
    """The groups of divergences, the largest first; those of a conversation follow each other."""
    grouping = Grouping()
    grouping.add(divergences)
    return grouping.groups()
