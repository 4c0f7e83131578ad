"""`turnlog log`: a conversation's events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Deleted, Life, open_log, settings

PROTOCOL = ("event", "turn", "time", "actor", "type", "says", "versions", "cause", "taken back")


Maybe = Annotated[
    str | None, typer.Argument(metavar="ID", help="The conversation.", show_default=False)
]
Upkeep = Annotated[
    bool, typer.Option("--upkeep", help="What was done to the log itself, instead of ID.")
]


def log(
    id: Maybe = None, deleted: Deleted = False, life: Life = None, upkeep: Upkeep = False
) -> None:
    """Show every event of a conversation.

    Those taken back too, and by which event.
    """
    from turnlog.domain.streams import UPKEEP

    if (id is None) != upkeep:
        raise typer.BadParameter("name a conversation, or ask for --upkeep")
    with open_log(readonly=True) as opened:
        if id is None:
            lines = described(opened.history(UPKEEP))
        else:
            any_life = deleted or life is not None
            lines = described(opened.conversation(id, deleted=any_life, life=life))
        if settings().json:
            output.lines(lines, columns=())
        else:
            output.lines(map(_told, lines), columns=PROTOCOL)


def described(conversation: Any) -> Iterator[dict[str, Any]]:
    """Each event as JSON."""
    return (recorded.as_dict() for recorded in conversation.recorded())


def _told(line: dict[str, Any]) -> dict[str, Any]:
    """A line for people: what the event says in one column."""
    shared = ("conversation", "event", "turn", "type", "time", "actor", "versions", "cause")
    fields = {name: value for name, value in line.items() if name not in (*shared, "taken_back")}
    text = fields.pop("text", None)
    parts = [] if text is None else [text]
    parts += [f"{name}: {output.shown(value)}" for name, value in fields.items()]
    versions = " ".join(f"{name} {value}" for name, value in line.get("versions", {}).items())
    by = line.get("taken_back")
    return {
        **line,
        "says": ", ".join(parts),
        "versions": versions,
        "taken back": by and f"by {by}",
    }
