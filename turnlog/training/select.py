"""The conversations of an export, as they stood at a position of the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec

from turnlog.domain import events as e
from turnlog.domain.apply import replay
from turnlog.domain.state import State
from turnlog.domain.streams import is_conversation
from turnlog.encoding import binary
from turnlog.engine.log import Turnlog
from turnlog.engine.query import condition
from turnlog.errors import UnknownConversation
from turnlog.storage.rows import Head
from turnlog.training.plan import Plan


class PastConversation(msgspec.Struct, frozen=True):
    """A conversation's events, oldest first, of the commits up to a position."""

    id: str
    events: tuple[e.Event, ...]

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
    for head in _heads(log, plan.ids):
        if not wanted(head.conversation):
            continue
        conversation = PastConversation(
            head.conversation, _events(log, head.conversation, plan.position)
        )
        if conversation.events and holds(_state(head, conversation, plan.position)):
            yield conversation
        elif plan.ids is not None and not conversation.events:
            raise UnknownConversation(head.conversation)


def _heads(log: Turnlog, ids: Iterable[str] | None) -> Iterator[Head]:
    if ids is None:
        yield from (head for head, _ in log.heads())
        return
    for id in sorted(set(ids)):
        head = log.store.reader.head(id) if is_conversation(id) else None
        if head is None or binary.decode_state(head.state).deleted:
            raise UnknownConversation(id)
        yield head


def _events(log: Turnlog, id: str, position: int) -> tuple[e.Event, ...]:
    events: list[e.Event] = []
    after, limit = 0, 64
    while rows := log.store.reader.rows(id, after, None, limit):
        for row in rows:
            if row.position > position:
                return tuple(events)
            if binary.is_commit(row.topic):
                events += row.commit().events
        after, limit = rows[-1].version, 1024
    return tuple(events)


def _state(head: Head, conversation: PastConversation, position: int) -> State:
    if head.position <= position:
        return binary.decode_state(head.state)
    return replay(conversation.events)
