"""`turnlog comply`: checks what the law requires of a log."""

from __future__ import annotations

from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

COLUMNS = ("article", "asks", "verdict", "evidence")
EPILOG = "It is not legal advice. The texts are those of November 2026."

Register = Annotated[
    bool, typer.Option("--register", help="Show the register of processing (GDPR, Article 30).")
]


def comply(register: Register = False) -> None:
    """Check what the AI Act and the GDPR require of a log.

    Each line says satisfied, not satisfied, or not decidable from the log, with the evidence.

    Exit status 1 if a line says not satisfied.
    """
    from turnlog.audit import compliance

    if register:
        _print_register()
        return
    with open_log(readonly=True) as log:
        found = list(compliance.findings(log))
    output.lines((finding.as_dict() for finding in found), columns=COLUMNS)
    if any(finding.verdict == compliance.NOT for finding in found):
        raise typer.Exit(1)


def _print_register() -> None:
    from turnlog.audit.register import register

    with open_log(readonly=True) as log:
        made = register(log)
    output.document(made, human=lambda: output.table(("entry", "what"), list(made.items())))
