"""Options of commands that act on a conversation or a person, and record who is responsible."""

from __future__ import annotations

from typing import Annotated

import typer

Of = Annotated[
    str | None,
    typer.Argument(
        metavar="[ID]", help="The conversation, with all its lives.", show_default=False
    ),
]
Person = Annotated[
    str | None, typer.Option("--person", metavar="P", help="A person, by any of their ids.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept, so name no person.")
]
Actor = Annotated[str, typer.Option("--actor", metavar="A", help="Who is responsible.")]
Maker = Annotated[
    str | None,
    typer.Option("--actor", metavar="NAME", help="Who makes it; default: your user name."),
]


def check_one(id: str | None, person: str | None) -> None:
    """Raises BadParameter unless exactly one of them is given."""
    if (id is None) == (person is None):
        raise typer.BadParameter("pass either ID or --person")
