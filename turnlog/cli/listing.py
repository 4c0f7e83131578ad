"""`turnlog list`: the conversations of a log."""

from __future__ import annotations

from turnlog.cli import output
from turnlog.cli.settings import open_log


def list_() -> None:
    """List the conversations."""
    columns = ("conversation", "turns", "events", "started", "last", "tags")
    with open_log() as log:
        output.lines(
            (
                {
                    "conversation": head.conversation,
                    "turns": head.turn,
                    "events": head.event,
                    "started": state.started,
                    "last": state.last,
                    "tags": state.tags,
                }
                for head, state in log.heads()
            ),
            columns=columns,
        )
