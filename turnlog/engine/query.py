"""Selecting conversations: by conditions, and by search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from turnlog.domain.event import Event
from turnlog.domain.lineage import MAIN
from turnlog.domain.rewinds import rewinds_in
from turnlog.domain.state import State
from turnlog.engine.conditions import Candidate, Condition
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Recorded
from turnlog.engine.search import search as found
from turnlog.errors import UnknownConversation
from turnlog.projections.live_head import LiveHead


def matching(
    log: Turnlog,
    *,
    where: str | None = None,
    search: str | None = None,
    newest: bool = False,
    before: int | None = None,
) -> Iterator[tuple[LiveHead, State]]:
    """The selected conversations, all by default, in order of id.

    search: as `turnlog.engine.search` reads it. newest: the most recently recorded first, of those
    whose newest row is below the position `before`. Raises FormatError for an invalid term or text.
    """
    holds = Condition(log, where)
    among = found(log, search) if search else iter
    for head, state in log.heads(newest=newest, before=before, among=among):
        if holds(Candidate(head.conversation, state, partial(_events, log, head.conversation))):
            yield head, state


def _events(log: Turnlog, id: str) -> Iterator[Event]:
    """Skips a conversation that was deleted meanwhile."""
    with suppress(UnknownConversation):
        yield from log.conversation(id).events()


def summary(head: LiveHead, state: State) -> dict[str, Any]:
    """A conversation's line in a list.

    For a fork, `shared` counts the turns and events of its origin, and `trial` marks an experiment.
    """
    line = state.lineage
    shared = {"shared": {"turns": line.turns, "events": line.shared}} if line.origin else {}
    return {
        "conversation": head.conversation,
        "turns": state.turn,
        "events": state.event,
        "started": state.started,
        "last": state.last,
        "tags": list(state.tags),
        "channel": state.channel,
        "user": state.user,
        **shared,
        **({"trial": True} if line.trial else {}),
    }


def standing(conversation: str, checkout: Recorded) -> dict[str, Any]:
    """Where a conversation is after a checkout, and which event it continued from, if any."""
    state = checkout.state
    return {
        "conversation": conversation,
        "branch": state.lineage.branch or MAIN,
        "event": state.event,
        "turn": state.turn,
        "branch_turn": state.context.turn,
        "to": rewinds[-1][1] if (rewinds := rewinds_in(enumerate(checkout.events))) else None,
    }
