"""`turnlog erase`: permanently erases a person's words."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log
from turnlog.cli.whom import Actor, Of, Person, Reason, check_one
from turnlog.domain.amounts import amount

Event = Annotated[
    int | None, typer.Option("--event", metavar="N", help="Only this event of the conversation.")
]
Full = Annotated[
    bool,
    typer.Option("--full", help="PostgreSQL: rewrite the tables, which locks out all others."),
]
NoVacuum = Annotated[
    bool,
    typer.Option("--no-vacuum", help="Faster: free space may keep bytes until the next erasure."),
]


def erase(
    reason: Reason,
    actor: Actor,
    id: Of = None,
    person: Person = None,
    event: Event = None,
    full: Full = False,
    no_vacuum: NoVacuum = False,
) -> None:
    """Permanently erase a person, a conversation or one event.

    The log records what is erased, when, by whom and why, without the person. Other people's
    conversations, all numbers and the chain stay unchanged.
    """
    check_one(id, person)
    if full and no_vacuum:
        raise typer.BadParameter("pass only one of --full and --no-vacuum")
    from turnlog.projections import register_installed

    register_installed()
    vacuum = "full" if full else "no" if no_vacuum else "yes"
    with open_log() as log, _progress() as progress:
        erased = log.erase(
            id, person=person, event=event, reason=reason, actor=actor, vacuum=vacuum,
            progress=progress,
        )  # fmt: skip
        keys = log.keys if event is None else None  # erasing one event destroys no key
        done = _described(erased, (keys or log.store).out_of_reach)
    output.document(done, human=lambda: _print(done))


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A progress line on stderr, if it is a terminal."""
    if not sys.stderr.isatty():
        yield lambda doing: None
        return
    from rich.console import Console

    with Console(stderr=True).status("looking") as status:
        yield status.update


def _described(erased: Any, out_of_reach: tuple[str, ...]) -> dict[str, Any]:
    from msgspec import to_builtins

    described: dict[str, Any] = to_builtins(erased)
    return {**described, "out_of_reach": list(out_of_reach)}


def _print(done: dict[str, Any]) -> None:
    went = [amount(done["conversations"], "conversation")] if done["conversations"] else []
    if done["shared"]:
        shared = amount(done["shared"], "shared conversation")
        went.append(f"{amount(done['events'], 'event')} of {shared}")
    output.say(f"erased {' and '.join(went)}; erasure {done['erasure']} of the log")
    for conversation, holds in done["kept"].items():
        output.say(f"kept {conversation}: {'; '.join(holds)}")
    if not done["vacuumed"]:
        output.say("free space may keep bytes; the next erasure without --no-vacuum clears it")
    for export in done["exports"]:
        output.say(f"inform {_recipient(export)}")
    output.say(f"out of reach: {'; '.join(done['out_of_reach'])}")


def _recipient(export: dict[str, Any]) -> str:
    purpose = f" for {export['purpose']}" if export.get("purpose") else ""
    got = f"{export['format']}{purpose} on {output.when(export['time'])}"
    return f"{export['recipient']}: it received {got}"
