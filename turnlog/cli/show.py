"""`turnlog show`: the state of a conversation, now or at an earlier moment."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from turnlog.cli import dialogue as dialogues
from turnlog.cli import output
from turnlog.cli.settings import Deleted, Id, Life, open_log

AtTurn = Annotated[int | None, typer.Option("--at-turn", metavar="N", help="After this turn.")]
AtEvent = Annotated[int | None, typer.Option("--at-event", metavar="N", help="After this event.")]
AtTime = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="At this time: ISO 8601, or seconds since 1970."),
]

Dialogue = Annotated[bool, typer.Option("--dialogue", help="Show what was said instead.")]


def show(
    id: Id,
    at_turn: AtTurn = None,
    at_event: AtEvent = None,
    at: AtTime = None,
    dialogue: Dialogue = False,
    deleted: Deleted = False,
    life: Life = None,
) -> None:
    """Show the state, or what was said, now or then.

    What was said is shown as edited and without rewound turns.
    """
    if sum(moment is not None for moment in (at_turn, at_event, at)) > 1:
        raise typer.BadParameter("pass only one of --at-turn, --at-event and --at")
    from turnlog.engine.conditions import seconds

    time = None if at is None else seconds(at)
    with open_log(readonly=True) as log:
        conversation = log.conversation(
            id, turn=at_turn, event=at_event, time=time, deleted=deleted or life is not None,
            life=life,
        )  # fmt: skip
        if conversation.state.deleted:  # the state before the deletion
            before = conversation.state.event - 1
            conversation = log.conversation(id, event=before, deleted=True, life=life)
        if dialogue:
            said = dialogues.dialogue(conversation)
            output.document(said, human=lambda: dialogues.print_dialogue(said))
            return
        state = described(conversation.id, conversation.state)
    output.document(state, human=lambda: _print(state))


def described(id: str, state: Any) -> dict[str, Any]:
    """A state as JSON: numbers and slots first, then the rest."""
    from turnlog.serializers.shared.plain import to_plain

    context = state.context
    rest = {
        "latest_message": context.latest_message,
        "latest_bot_message": context.latest_bot_message,
        "latest_action": context.latest_action,
        "loop": context.loop,
        "followup": context.followup,
        "paused": context.paused,
        "session": state.session,
        "thread": state.thread,
        "started": state.started,
        "last": state.last,
        "channel": state.channel,
        "user": state.user,
        "identities": state.identities,
        "tags": state.tags,
        "handover": state.handover,
        "branch": state.lineage.branch,
        "origin": described_origin(state.lineage),
        "branches": state.lineage.branches(state.event) if state.lineage.branch else {},
    }
    first = {"conversation": id, "turn": state.turn, "event": state.event, "slots": state.slots}
    return {**first, **{name: to_plain(value) for name, value in rest.items()}}


def described_origin(lineage: Any) -> dict[str, Any] | None:
    """The origin of a fork, None for other conversations."""
    if lineage.origin is None:
        return None
    trial = {"trial": True} if lineage.trial else {}
    return {"stream": lineage.origin, "event": lineage.shared, "turn": lineage.turns, **trial}


def _print(state: dict[str, Any]) -> None:
    output.say(f"{state['conversation']}  turn {state['turn']}, event {state['event']}")
    output.table(("slot", "value"), state["slots"].items())
    rest = {name: value for name, value in list(state.items())[4:] if value not in (None, [], {})}
    for name in ("started", "last"):
        if name in rest:
            rest[name] = output.when(rest[name])
    output.table(("field", "value"), rest.items())
