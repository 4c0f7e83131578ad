"""The conversations of an export, as they conversation at a position of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile

import msgspec

from turnlog.domain import events as e
from turnlog.domain.fold import replay
from turnlog.domain.recorded import RecordedEvent, shown
from turnlog.domain.state import State
from turnlog.engine.log import Turnlog
from turnlog.engine.query import condition
from turnlog.errors import UnknownConversation
from turnlog.projections.live_head import LiveHead
from turnlog.training.plan import Plan


class PastConversation(msgspec.Struct, frozen=True):
    """A conversation's events, oldest first, of the commits up to a position."""

    id: str
    recorded: tuple[RecordedEvent, ...]

    @property
    def events(self) -> Iterator[e.Event]:
        return (recorded.event for recorded in self.recorded)

    @property
    def user(self) -> str | None:
        """Whose it is: the first identification decides, whatever is learnt later."""
        for event in self.events:
            if isinstance(event, e.UserIdentified):
                return event.user
        return None


def selected(
    log: Turnlog, plan: Plan, *, wanted: Callable[[str], bool] = lambda id: True
) -> Iterator[PastConversation]:
    """In order of id; never one that is deleted by now, whenever that was.

    wanted: those whose id it does not want are not even read.
    Raises UnknownConversation for an id that is asked for and was not there.
    """
    holds = condition(plan.where)
    for head, state in _heads(log, plan.ids):
        if not wanted(head.conversation):
            continue
        try:
            recorded = _recorded(log, head, plan, state)
        except UnknownConversation:  # deleted since it was listed
            recorded = ()
        conversation = PastConversation(head.conversation, recorded)
        now = state if head.position <= plan.position else replay(conversation.events)
        if conversation.recorded and holds(now):
            yield conversation
        elif plan.ids is not None and not conversation.recorded:
            raise UnknownConversation(head.conversation)


def _heads(log: Turnlog, ids: Iterable[str] | None) -> Iterable[tuple[LiveHead, State]]:
    if ids is not None:
        return (log.head(id) for id in sorted(set(ids)))
    return (each for each in log.heads() if not each[1].lineage.trial)


def _recorded(log: Turnlog, head: LiveHead, plan: Plan, now: State) -> tuple[RecordedEvent, ...]:
    """What was redacted, at whatever position, is hidden unless it is asked for."""
    history = log.past(head)
    commits = takewhile(lambda commit: (commit.position or 0) <= plan.position, history.commits())
    events = (recorded for commit in commits for recorded in commit.recorded_events())
    hides = now.redacted and "redacted" not in plan.include
    return tuple(shown(events, {}, history.redactions() if hides else None))
