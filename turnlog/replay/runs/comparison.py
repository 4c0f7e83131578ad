"""Compares two stored runs: two bots, or two versions of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from turnlog.errors import FormatError
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.divergence import Divergence
from turnlog.replay.runs.kept import Run
from turnlog.replay.runs.saying import alike

Change = Literal["new", "changed", "gone", "same"]
"""In the second run: a new difference from the record, another one, none any more, the same."""

CHANGES: tuple[Change, ...] = ("new", "changed", "gone", "same")


class ComparedTurn(msgspec.Struct, frozen=True):
    """A turn that differs from the record in one of the runs."""

    change: Change
    before: Divergence | None
    after: Divergence | None

    @property
    def place(self) -> Divergence:
        """The divergence that says where the turn is."""
        found = self.after or self.before
        assert found is not None
        return found


class ComparedGroup(msgspec.Struct, frozen=True):
    """before and after: the group's turns in each run; example: its shortest turn."""

    group: str
    change: Change
    before: int
    after: int
    example: ComparedTurn


class Comparison(msgspec.Struct, frozen=True):
    """turns: of the conversations in both runs. only_before, only_after: conversations of one run
    only. other_turns: conversations with different numbers of replayed turns.
    """

    turns: list[ComparedTurn]
    groups: list[ComparedGroup]
    both: int
    only_before: list[str]
    only_after: list[str]
    other_turns: list[str]

    def count(self, change: Change) -> int:
        """How many turns changed in this way."""
        return sum(turn.change == change for turn in self.turns)


def compare(before: Run, after: Run) -> Comparison:
    """What the second run does differently from the first.

    Raises FormatError if they have no conversation in common.
    """
    both = [id for id in after.conversations if id in before.conversations]
    if not any(before.conversations[id].turns and after.conversations[id].turns for id in both):
        raise FormatError("the runs have no conversation in common")
    found = [turn for id in both for turn in _turns(before, after, id)]
    return Comparison(
        found,
        list(_groups(found)),
        len(both),
        [id for id in before.conversations if id not in after.conversations],
        [id for id in after.conversations if id not in before.conversations],
        [id for id in both if before.conversations[id].turns != after.conversations[id].turns],
    )


def _turns(before: Run, after: Run, id: str) -> Iterator[ComparedTurn]:
    was, now = (
        {one.turn: one for one in reversed(run.conversations[id].divergences)}  # the most frequent
        for run in (before, after)
    )
    for turn in sorted({*was, *now}):
        one, other = was.get(turn), now.get(turn)
        yield ComparedTurn(_change(one, other, after.head.rules), one, other)


def _change(before: Divergence | None, after: Divergence | None, rules: Rules) -> Change:
    if before is None:
        return "new"
    if after is None:
        return "gone"
    return "same" if alike(before, after, rules) else "changed"


def _groups(turns: Iterable[ComparedTurn]) -> Iterator[ComparedGroup]:
    """New groups first, the most frequent ones first."""
    by_group: dict[str, list[ComparedTurn]] = defaultdict(list)
    for turn in turns:
        for key in {one.group: None for one in (turn.before, turn.after) if one is not None}:
            by_group[key].append(turn)
    groups = [_group(key, found) for key, found in by_group.items()]
    yield from sorted(groups, key=lambda g: (CHANGES.index(g.change), -g.after, -g.before, g.group))


def _group(key: str, turns: list[ComparedTurn]) -> ComparedGroup:
    before = sum(turn.before is not None and turn.before.group == key for turn in turns)
    after = sum(turn.after is not None and turn.after.group == key for turn in turns)
    change: Change = "changed"
    if not before:
        change = "new"
    elif not after:
        change = "gone"
    elif all(turn.change == "same" for turn in turns):
        change = "same"
    example = min(turns, key=lambda turn: (turn.place.turn, turn.place.conversation))
    return ComparedGroup(key, change, before, after, example)


def as_lines(compared: Comparison) -> Iterator[dict[str, Any]]:
    """The turns, the conversations of only one run, the groups."""
    for turn in compared.turns:
        yield _turn_line(turn)
    for run, ids in (("before", compared.only_before), ("after", compared.only_after)):
        yield from ({"kind": "conversation", "conversation": id, "only": run} for id in ids)
    for group in compared.groups:
        fields = {name: getattr(group, name) for name in ("group", "change", "before", "after")}
        yield {"kind": "group", **fields, "example": _turn_line(group.example)}


def _turn_line(turn: ComparedTurn) -> dict[str, Any]:
    place = turn.place
    return {
        "kind": "turn",
        "conversation": place.conversation,
        "turn": place.turn,
        "change": turn.change,
        "message": place.message,
        "before": _said(turn.before),
        "after": _said(turn.after),
        "link": place.link,
    }


def _said(divergence: Divergence | None) -> dict[str, Any] | None:
    if divergence is None:
        return None
    return {
        name: getattr(divergence, name) for name in ("group", "kind", "path", "expected", "actual")
    }
