"""`turnlog verify`: whether a log is whole."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Ids, open_log
from turnlog.domain.amounts import amount, apart

Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="Processes.")]


def verify(ids: Ids = None, jobs: Jobs = 1) -> None:
    """Check that nothing recorded was changed.

    And that heads, snapshots and read models follow from it.

    With IDs: these conversations' events, heads and snapshots alone. Exit status 1 for a fault.
    """
    from msgspec.structs import asdict

    from turnlog.audit.fault import Fault
    from turnlog.audit.verify import Verification
    from turnlog.audit.verify import verify as checked
    from turnlog.errors import Corrupt
    from turnlog.projections import register_installed

    register_installed()
    try:
        with open_log(readonly=True) as log:
            verification = checked(log.store, ids or None, jobs=jobs)
    except Corrupt as error:  # what a log begins with, without which it is not opened
        verification = Verification(faults=[Fault(None, None, str(error))], ok=False)
    counted = {name: held for name, held in asdict(verification).items() if held is not None}
    output.document(counted, human=lambda: _print(verification))
    if not verification.ok:
        raise typer.Exit(1)


def _print(verification: Any) -> None:
    if verification.faults:
        print_faults(verification.faults)
    done = (verification.conversations, "conversation"), (verification.events, "event")
    counted = ", ".join(amount(*each) for each in done)
    counted += apart(verification.attachments or 0, verification.attached_bytes or 0)
    faults = len(verification.faults)
    output.say(f"{counted}: {amount(faults, 'fault') if faults else 'no faults'}")


def print_faults(faults: Any) -> None:
    """A row for each."""
    columns = ("conversation", "event", "what")
    output.table(columns, ((fault.conversation, fault.event, fault.what) for fault in faults))
