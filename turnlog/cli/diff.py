"""`turnlog diff`: what changed between two turns, or differs between two conversations."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.log import described
from turnlog.cli.settings import Id, open_log

Other = Annotated[str | None, typer.Argument(metavar="[OTHER]", help="Another conversation.")]
FromTurn = Annotated[
    int | None, typer.Option("--from-turn", metavar="A", help="Default: the turn before B.")
]
ToTurn = Annotated[int | None, typer.Option("--to-turn", metavar="B", help="Default: the last.")]

_INCIDENTAL = ("conversation", "event", "turn", "time", "message_id", "cause")
"""Fields that may differ between events that say the same."""

COLUMNS = ("event", "turn", "time", "actor", "type", "text", "name", "value")


def diff(id: Id, other: Other = None, from_turn: FromTurn = None, to_turn: ToTurn = None) -> None:
    """Show what two turns changed, or how conversations differ.

    Exit status 1 if anything differs.
    """
    if other is not None and not (from_turn is to_turn is None):
        raise typer.BadParameter("pass OTHER or turns, not both")
    with open_log(readonly=True) as log:
        if other is None:
            difference = _between_turns(log, id, from_turn, to_turn)
        else:
            difference = _between_conversations(log.conversation(id), log.conversation(other))
    output.document(difference, human=lambda: _print(difference))
    if difference["slots"] or difference["events"]:
        raise typer.Exit(1)


def _between_turns(log: Any, id: str, first: int | None, last: int | None) -> dict[str, Any]:
    """The slots that differ, and the events in between."""
    after = log.conversation(id, turn=last)
    before = _before(log, id, max(0, after.turn - 1) if first is None else first)
    events = [event for event in described(after) if event["event"] > before.state.event]
    return {"slots": _slots(before.slots, after.slots), "events": events}


def _before(log: Any, id: str, turn: int) -> Any:
    """The conversation after a turn; after turn 0 it may have no events."""
    from turnlog.errors import OutOfRange

    try:
        return log.conversation(id, turn=turn)
    except OutOfRange:
        if turn != 0:
            raise
        return log.conversation(id, event=0)


def _between_conversations(one: Any, other: Any) -> dict[str, Any]:
    """The slots that differ at the end, and the events that only one of the two has."""
    from difflib import SequenceMatcher

    left, right = list(described(one)), list(described(other))
    alike = SequenceMatcher(None, [*map(_essence, left)], [*map(_essence, right)], autojunk=False)
    events: list[dict[str, Any]] = []
    for kind, start, end, other_start, other_end in alike.get_opcodes():
        if kind != "equal":
            events += [*left[start:end], *right[other_start:other_end]]
    return {"slots": _slots(one.slots, other.slots), "events": events}


def _essence(event: dict[str, Any]) -> bytes:
    from turnlog.serializers.shared.plain import dumps

    return dumps({name: value for name, value in event.items() if name not in _INCIDENTAL})


def _slots(one: dict[str, Any], other: dict[str, Any]) -> dict[str, list[Any]]:
    from turnlog.domain.recorded import changed

    return {name: list(pair) for name, pair in changed(one, other).items()}


def _print(difference: dict[str, Any]) -> None:
    if not difference["slots"] and not difference["events"]:
        output.say("no difference")
    if difference["slots"]:
        changed = ([name, *pair] for name, pair in difference["slots"].items())
        output.table(("slot", "before", "after"), changed)
    if difference["events"]:
        columns = ("conversation", *COLUMNS)
        output.table(
            columns, ([event.get(name) for name in columns] for event in difference["events"])
        )
