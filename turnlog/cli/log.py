"""`turnlog log`: a conversation's events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Deleted, Life, open_log, settings

PROTOCOL: tuple[str, ...] = (
    "event",
    "turn",
    "time",
    "actor",
    "type",
    "says",
    "versions",
    "cause",
    "taken back",
)
BRANCHED = (*PROTOCOL[:2], "branch", *PROTOCOL[2:])
"""The columns, without and with branches."""


Maybe = Annotated[
    str | None, typer.Argument(metavar="ID", help="The conversation.", show_default=False)
]
Upkeep = Annotated[
    bool, typer.Option("--upkeep", help="What was done to the log itself; without ID.")
]


def log(
    id: Maybe = None, deleted: Deleted = False, life: Life = None, upkeep: Upkeep = False
) -> None:
    """Show every event, including rewound ones.

    A rewound event names the event that rewound it.
    """
    from turnlog.domain.streams import UPKEEP

    if (id is None) != upkeep:
        raise typer.BadParameter("pass ID or --upkeep")
    with open_log(readonly=True) as opened:
        if id is None:
            lines, columns = described(opened.history(UPKEEP)), PROTOCOL
        else:
            any_life = deleted or life is not None
            conversation = opened.conversation(id, deleted=any_life, life=life)
            lines = described(conversation)
            columns = BRANCHED if len(conversation.branches) > 1 else PROTOCOL
        if settings().json:
            output.lines(lines, columns=())
        else:
            output.lines(map(_cells, lines), columns=columns)


def described(conversation: Any) -> Iterator[dict[str, Any]]:
    """Each event as JSON."""
    return (recorded.as_dict() for recorded in conversation.recorded())


_COLUMNS = (
    "conversation", "event", "turn", "type", "time", "actor", "versions", "cause", "taken_back",
    "branch", "branch_turn",
)  # fmt: skip
"""What a line says in addition to its event's fields."""


def _cells(line: dict[str, Any]) -> dict[str, Any]:
    """A line for people: the event's fields in one column."""
    fields = {name: value for name, value in line.items() if name not in _COLUMNS}
    text = fields.pop("text", None)
    parts = [] if text is None else [output.shown(text)]
    parts += [f"{name}: {output.shown(value)}" for name, value in fields.items()]
    versions = " ".join(f"{name} {value}" for name, value in line.get("versions", {}).items())
    by = line.get("taken_back")
    return {
        **line,
        "says": ", ".join(parts),
        "versions": versions,
        "branch": f"{line['branch']}, turn {line['branch_turn']}"
        if "branch_turn" in line
        else None,
        "taken back": by and f"by {by}",
    }
