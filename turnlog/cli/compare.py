"""`turnlog compare`: the differences between two kept runs of a replay."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import settings
from turnlog.domain.amounts import amount

if TYPE_CHECKING:
    from turnlog.replay.runs.comparison import ComparedGroup, Comparison
    from turnlog.replay.runs.run import RunHead

Before = Annotated[Path, typer.Argument(metavar="A", help="A run kept with `replay --out`.")]
After = Annotated[Path, typer.Argument(metavar="B", help="Another one.")]


def compare(before: Before, after: After) -> None:
    """Report the differences between two kept runs.

    Exit status 1 if something is new or changed. No log is read.
    """
    from turnlog.replay.runs import comparison, kept

    first, second = kept.read(before), kept.read(after)
    found = comparison.compare(first, second)
    for line in _notes(found, first.head, second.head):
        output.note(line)
    if settings().json:
        output.lines(comparison.as_lines(found), columns=())
    else:
        _print(found)
    if found.count("new") or found.count("changed"):
        raise typer.Exit(1)


def _notes(found: Comparison, before: RunHead, after: RunHead) -> Iterable[str]:
    """Warnings that change how the rest must be read."""
    if before.rules != after.rules:
        yield "the runs have different rules; one may allow what the other reports"
    for run, ids in (("A", found.only_before), ("B", found.only_after)):
        if ids:
            yield f"only in {run}: {_listed(ids)}"
    if found.other_turns:
        yield f"replayed with different numbers of turns: {_listed(found.other_turns)}"


_NAMED = 5


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    return f"{amount(len(ids), 'conversation')} ({', '.join(ids[:_NAMED])}{more})"


def _print(found: Comparison) -> None:
    from turnlog.replay.runs.comparison import CHANGES

    if found.groups:
        columns = ("change", "group", "A", "B", "first", "turn")
        output.table(columns, (_row(group) for group in found.groups))
    counts = ", ".join(f"{change}: {found.count(change):,}" for change in CHANGES)
    output.say(f"turns {counts}; in {amount(found.both, 'conversation')}")


def _row(group: ComparedGroup) -> tuple[Any, ...]:
    place = group.example.place
    return (
        group.change, group.group, group.before, group.after, place.conversation, place.turn
    )  # fmt: skip
