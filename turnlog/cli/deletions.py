"""`turnlog audit --deleted`: who deleted which conversation, when and why."""

from __future__ import annotations

from typing import Any

from turnlog.cli import output
from turnlog.cli.settings import open_log

COLUMNS = ("conversation", "life", "event", "time", "actor", "reason")


def list_deletions() -> None:
    with open_log(readonly=True) as log:
        lines = (recorded.as_dict() for recorded in log.deletions())
        told = (_without_first_life({name: line.get(name) for name in COLUMNS}) for line in lines)
        output.lines(told, columns=COLUMNS)


def _without_first_life(line: dict[str, Any]) -> dict[str, Any]:
    """Only a conversation that began anew has lives to be told apart."""
    if line["life"] is None:
        del line["life"]
    return line
