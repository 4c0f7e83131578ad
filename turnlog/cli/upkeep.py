"""`turnlog delete`, `rebuild` and `stats`: what the keeper of a log needs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log

REMAINS = "the bytes remain in the log until erasure by key destruction exists"

Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Kept with it.")]


def delete(id: Id, reason: Reason = None) -> None:
    """Hide a conversation everywhere.

    Its bytes remain, and the chain still verifies.
    """
    with open_log() as log:
        log.delete(id, reason)
    done = {"conversation": id, "deleted": True, "note": REMAINS}
    output.document(done, human=lambda: output.say(f"deleted {id}: {REMAINS}"))


def rebuild() -> None:
    """Make current states and read models again from the log."""
    from turnlog.projections import PROJECTIONS
    from turnlog.projections.heads import rebuild_heads
    from turnlog.projections.projection import rebuild as rebuild_one

    with open_log() as log:
        done = {"heads": rebuild_heads(log.store)}
        for name, projection in PROJECTIONS.items():
            done[name] = rebuild_one(log.store, projection)
    output.document(
        {"rebuilt": done}, human=lambda: output.table(("model", "commits"), done.items())
    )


def stats() -> None:
    """Count what the log holds."""
    with open_log() as log:
        counts = _counted(log)
    output.document(counts, human=lambda: output.table(("field", "value"), counts.items()))


def _counted(log: Any) -> dict[str, Any]:
    from turnlog.projections import PROJECTIONS

    conversations = turns = events = 0
    for head, _ in log.heads():
        conversations += 1
        turns += head.turn
        events += head.event
    reader = log.store.reader
    return {
        "database": log.store.url,
        "conversations": conversations,
        "turns": turns,
        "events": events,
        "commits": reader.last_position(),
        "read_models": {m.model: m.position for m in reader.marks() if m.model in PROJECTIONS},
    }
