"""`turnlog verify`: whether a log is whole."""

from __future__ import annotations

from typing import Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Ids, open_log


def verify(ids: Ids = None) -> None:
    """Check that nothing recorded was changed.

    And that heads, snapshots and read models follow from it.

    With IDs: these conversations' events, heads and snapshots alone. Exit status 1 for a fault.
    """
    from msgspec.structs import asdict

    from turnlog.audit.verify import verify as checked

    with open_log(readonly=True) as log:
        verification = checked(log.store, ids or None)
    output.document(asdict(verification), human=lambda: _print(verification))
    if not verification.ok:
        raise typer.Exit(1)


def _print(verification: Any) -> None:
    if verification.faults:
        print_faults(verification.faults)
    counted = f"{verification.conversations:,} conversations, {verification.events:,} events"
    output.say(
        f"{counted}: {len(verification.faults) or 'no'} fault{'s'[: len(verification.faults) != 1]}"
    )


def print_faults(faults: Any) -> None:
    """A row for each."""
    columns = ("conversation", "event", "what")
    output.table(columns, ((fault.conversation, fault.event, fault.what) for fault in faults))
