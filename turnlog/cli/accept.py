"""`turnlog accept`: accepts a group of a kept run as known and wanted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import actor as somebody

if TYPE_CHECKING:
    from turnlog.replay.runs.kept import Run

RunFile = Annotated[Path, typer.Argument(metavar="RUN", help="A run kept with `replay --out`.")]
Group = Annotated[
    list[str],
    typer.Option("--group", metavar="G", help="A group, or its beginning; can be repeated."),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why it is accepted.")]
Into = Annotated[
    Path | None,
    typer.Option("--into", metavar="FILE", help="The list; default: accepted.toml next to RUN."),
]
Actor = Annotated[str | None, typer.Option("--actor", metavar="NAME", help="Who accepts it.")]


def accept(run: RunFile, group: Group, note: Note, into: Into = None, actor: Actor = None) -> None:
    """Accept a group of a kept run as known and wanted.

    `replay --accepted FILE` does not report it until it changes.
    """
    from turnlog.replay.runs import accepted, kept

    found = kept.read(run)
    path = into or run.parent / "accepted.toml"
    before = accepted.load(path) if path.exists() else accepted.Accepted()
    chosen = dict.fromkeys(_named(found, name, run) for name in group)
    entries = [_entry(found, key, before, note, actor or somebody()) for key in chosen]
    for entry in entries:
        if entry is not None:
            accepted.append(path, entry)
    added = [entry.group for entry in entries if entry is not None]
    known = [key for key in chosen if key not in added]
    result = {"into": str(path), "accepted": added, "known": known}
    output.document(result, human=lambda: _print(result))


def _named(run: Run, name: str, path: Path) -> str:
    """The only group of this name, or that begins so. Raises FormatError."""
    from turnlog.errors import FormatError
    from turnlog.replay.grouping.groups import begun

    keys = [group.group for group in run.groups]
    meant = begun(keys, name)
    if len(meant) == 1:
        return meant[0]
    what = "several groups begin with" if meant else "unknown group"
    listed = "; ".join((meant or keys)[:5]) or "none"
    raise FormatError(f"{what} {name!r}; known: {listed}", file=str(path))


def _entry(run: Run, key: str, before: Any, note: str, by: str) -> Any:
    """None if everything in the group is accepted already."""
    from turnlog.replay.runs.accepted import acceptance

    rules = run.head.rules
    found = [one for one in run.divergences if one.group == key]
    if all(before.covers(one, rules) for one in found):
        return None
    (example,) = (group.example for group in run.groups if group.group == key)
    return acceptance(found, example, rules, note=note, by=by, time=time.time())


def _print(result: dict[str, Any]) -> None:
    for key in result["accepted"]:
        output.say(f"accepted in {result['into']}: {key}")
    for key in result["known"]:
        output.say(f"already accepted: {key}")
