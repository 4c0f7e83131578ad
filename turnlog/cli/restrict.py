"""`turnlog restrict`: a conversation, or a person's, is kept and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log
from turnlog.domain.amounts import amount

Of = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="The conversation.", show_default=False)
]
Person = Annotated[
    str | None, typer.Option("--person", metavar="P", help="A person, by any name of theirs.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")]
Actor = Annotated[str, typer.Option("--actor", metavar="A", help="Who answers for it.")]


def restrict(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """Keep what is recorded, and do nothing else with it.

    It is not read, replayed, exported or gone on with until it is released.
    """
    from turnlog.domain.events import ProcessingRestricted
    from turnlog.engine.restriction import restrict as restricted

    if (id is None) == (person is None):
        raise typer.BadParameter("give one of ID and --person")
    with open_log() as log:
        found = restricted(log, id, person, ProcessingRestricted(reason, actor=actor))
    done = {"conversation": id, "person": person, "restricted": found}
    told = f"restricted {amount(len(found), 'conversation')}"
    output.document(done, human=lambda: output.say(told))
