"""`turnlog delete`, `rebuild` and `stats`: upkeep of a log."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, actor, open_log
from turnlog.domain.amounts import amount

REMAINS = "the bytes remain in the log until `turnlog erase`"

Actor = Annotated[str | None, typer.Option("--actor", metavar="A", help="Who deletes it.")]
Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Recorded with it.")]


def delete(id: Id, reason: Reason = None, actor: Actor = None) -> None:
    """Hide a conversation everywhere.

    Its bytes remain, and the chain still verifies.
    """
    with open_log() as log:
        log.delete(id, reason, actor=actor)
    done = {"conversation": id, "deleted": True, "note": REMAINS}
    output.document(done, human=lambda: output.say(f"deleted {id}: {REMAINS}"))


Force = Annotated[bool, typer.Option("--force", help="Even if that hides missing rows.")]


def rebuild(force: Force = False) -> None:
    """Make current states and read models again from the log.

    It verifies first. If heads are ahead of the rows, they are the only evidence of lost rows, and
    only --force continues; the log then records who forced it and what was found.
    """
    from turnlog.audit.rebuilding import faults_of, record_rebuild
    from turnlog.audit.rebuilding import rebuild as rebuilt
    from turnlog.engine.lost_tail import check_tail
    from turnlog.projections import register_installed

    register_installed()
    with open_log(readonly=True, shows=False) as log:
        faults, ahead = faults_of(log.store)
    if ahead and not force:
        _refuse([*ahead, *faults])
    with open_log() as log:
        done = rebuilt(log.store)
        if ahead:
            check_tail(log)  # not recorded while heads were ahead
            record_rebuild(log, [*ahead, *faults], actor())
    found = {"faults": _plain(faults)} if faults else {}
    output.document(
        {"rebuilt": done, **found}, human=lambda: output.table(("model", "commits"), done.items())
    )
    if faults:
        had_found = amount(len(faults), "fault")
        output.note(f"verify found {had_found}; derived data is made again")


def _refuse(faults: list[Any]) -> None:
    from turnlog.cli.verify import print_faults

    output.document({"rebuilt": {}, "faults": _plain(faults)}, human=lambda: print_faults(faults))
    output.note("nothing is rebuilt: heads are ahead of the rows; restore a backup, or use --force")
    raise typer.Exit(1)


def _plain(faults: list[Any]) -> Any:
    from msgspec import to_builtins

    return to_builtins(faults)


def stats() -> None:
    """Count what the log contains."""
    with open_log(readonly=True, shows=False) as log:
        counts = _counted(log)
    output.document(counts, human=lambda: output.table(("field", "value"), counts.items()))


def _counted(log: Any) -> dict[str, Any]:
    from turnlog.engine.shared_pasts import SharedPasts
    from turnlog.projections import PROJECTIONS

    conversations = turns = events = 0
    pasts = SharedPasts(log, lambda _, state: not state.lineage.trial)
    for head, state in log.heads():
        if not state.lineage.trial:
            held = pasts.of(head, state).events
            conversations += 1
            turns += head.turn - (log.history(head.conversation).state(held).turn if held else 0)
            events += head.event - held
    reader = log.store.reader
    return {
        "database": log.store.url,
        "conversations": conversations,
        "turns": turns,
        "events": events,
        "commits": reader.last_position(),
        "attachments": len(reader.attachment_names()),
        "attached_bytes": reader.stored()[1],
        "read_models": {
            c.model: c.position for c in reader.checkpoints() if c.model in PROJECTIONS
        },
    }
