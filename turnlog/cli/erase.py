"""`turnlog erase`, `hold` and `release`: a person's words go for good, or must not go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log
from turnlog.domain.amounts import amount

Of = Annotated[
    str | None,
    typer.Argument(metavar="[ID]", help="The conversation, all lives of it.", show_default=False),
]
Person = Annotated[
    str | None,
    typer.Option("--person", metavar="P", help="A person, by any name of theirs."),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it stays, so name nobody.")
]
Actor = Annotated[str, typer.Option("--actor", metavar="A", help="Who answers for it.")]
Event = Annotated[
    int | None, typer.Option("--event", metavar="N", help="This event of the conversation alone.")
]
Full = Annotated[
    bool,
    typer.Option("--full", help="PostgreSQL: write the tables anew, which locks out all others."),
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
    """Erase a person, a conversation or an event for good.

    What is erased, when, by whom and why stays on record, without the person. Everybody else's
    conversations, all numbers and the chain stay as they are.
    """
    _check_one(id, person)
    if full and no_vacuum:
        raise typer.BadParameter("give one of --full and --no-vacuum")
    from turnlog.projections import register_installed

    register_installed()
    vacuum = "full" if full else "no" if no_vacuum else "yes"
    with open_log() as log, _progress() as progress:
        erased = log.erase(
            id, person=person, event=event, reason=reason, actor=actor, vacuum=vacuum,
            progress=progress,
        )  # fmt: skip
        keys = log.keys if event is None else None  # one event goes with nobody's key
        done = _described(erased, (keys or log.store).out_of_reach)
    output.document(done, human=lambda: _print(done))


def hold(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """Keep a conversation, or a person, from being erased."""
    _check_one(id, person)
    with open_log() as log:
        log.hold(id, person=person, reason=reason, actor=actor)
    what = id if person is None else person
    done = {"conversation": id, "person": person, "held": True}
    output.document(done, human=lambda: output.say(f"held {what}"))


def release(reason: Reason, actor: Actor, id: Of = None, person: Person = None) -> None:
    """End holds and restrictions of a conversation or a person."""
    _check_one(id, person)
    with open_log() as log:
        ended = _released(log, id, person, reason, actor)
    what = id if person is None else person
    done = {"conversation": id, "person": person, "held": False, "ended": ended}
    output.document(done, human=lambda: output.say(f"released {what}, {'; '.join(ended)}"))


def _released(log: Any, id: str | None, person: str | None, reason: str, actor: str) -> list[str]:
    """What ended. Raises Held where nothing did."""
    from turnlog.domain.events import RestrictionLifted
    from turnlog.engine.restriction import restrict
    from turnlog.errors import Held, InvalidEvent, UnknownConversation, UnknownPerson

    lifted: list[str] = []
    with suppress(InvalidEvent, UnknownConversation, UnknownPerson):
        lifted = restrict(log, id, person, RestrictionLifted(reason, actor=actor))
    ended = [f"restriction of {conversation}" for conversation in lifted]
    try:
        ended += map(str, log.release(id, person=person, reason=reason, actor=actor))
    except Held:
        if not ended:
            raise
    return ended


def _check_one(id: str | None, person: str | None) -> None:
    if (id is None) == (person is None):
        raise typer.BadParameter("give one of ID and --person")


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """A line on stderr that moves on, where stderr is a terminal."""
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
        output.say("bytes may be in free space: the next erasure without --no-vacuum clears it")
    for export in done["exports"]:
        output.say(f"tell {_recipient(export)}")
    output.say(f"out of reach: {'; '.join(done['out_of_reach'])}")


def _recipient(export: dict[str, Any]) -> str:
    purpose = f" for {export['purpose']}" if export.get("purpose") else ""
    return (
        f"{export['recipient']}: got {export['format']}{purpose} on {output.when(export['time'])}"
    )
