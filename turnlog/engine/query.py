"""Which conversations are meant: filters on where they stand, and search in what was said."""

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
    """The conversations that are meant, all of them without a filter, in order of id.

    search: as `turnlog.engine.search` has it. newest: the one that was recorded in last first, of
    those whose newest row is below the position `before`. Raises FormatError for what is not a term
    or no text.
    """
    holds = Condition(log, where)
    among = found(log, search) if search else iter
    for head, state in log.heads(newest=newest, before=before, among=among):
        if holds(Candidate(head.conversation, state, partial(_events, log, head.conversation))):
            yield head, state


def _events(log: Turnlog, id: str) -> Iterator[Event]:
    """Nothing of a conversation that was deleted meanwhile."""
    with suppress(UnknownConversation):
        yield from log.conversation(id).events()


def summary(head: LiveHead, state: State) -> dict[str, Any]:
    """A conversation's line in a list.

    In that of a fork `shared` says how many of its turns and events come from its origin, and
    `trial` that it was made to try something.
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
    """Where a conversation stands after a checkout, and which event it went on from, if it did."""
    state = checkout.state
    return {
        "conversation": conversation,
        "branch": state.lineage.branch or MAIN,
        "event": state.event,
        "turn": state.turn,
        "branch_turn": state.context.turn,
        "to": rewinds[-1][1] if (rewinds := rewinds_in(enumerate(checkout.events))) else None,
    }
