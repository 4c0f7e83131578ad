"""`turnlog audit --deleted`: who deleted which conversation, when and why."""

from __future__ import annotations

from typing import Any

from turnlog.cli import output
from turnlog.cli.settings import open_log

COLUMNS = ("conversation", "life", "event", "time", "actor", "reason")


def list_deletions() -> None:
    """Prints the deletions, oldest first."""
    with open_log(readonly=True) as log:
        lines = (recorded.as_dict() for recorded in log.deletions())
        shown = (_without_first_life({name: line.get(name) for name in COLUMNS}) for line in lines)
        output.lines(shown, columns=COLUMNS)


def _without_first_life(line: dict[str, Any]) -> dict[str, Any]:
    """Omits the life unless the conversation has had several."""
    if line["life"] is None:
        del line["life"]
    return line
