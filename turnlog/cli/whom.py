"""Options of commands that do something to a conversation or a person, and answer for it."""

from __future__ import annotations

from typing import Annotated

import typer

Of = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="The conversation, all lives of it.", show_default=False),
]
Person = Annotated[
    str | None, typer.Option("--person", metavar="P", help="A person, by any name of theirs.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it stays, so name nobody.")
]
Actor = Annotated[str, typer.Option("--actor", metavar="A", help="Who answers for it.")]
Maker = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Who makes it; else your user name.")
]


def check_one(id: str | None, person: str | None) -> None:
    if (id is None) == (person is None):
        raise typer.BadParameter("give one of ID and --person")
