"""Where a fork begins, and what its origin later hides in it (ADR 15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec
from msgspec.structs import replace

from turnlog.domain.events import (
    ConversationDeleted,
    Event,
    HistoryContinued,
    MessageRedacted,
    OriginDeleted,
)
from turnlog.domain.inputs import before_input
from turnlog.domain.redactions import Redactions
from turnlog.domain.state import State
from turnlog.encoding.rows import TAGS
from turnlog.errors import FormatError, OutOfRange, UnknownConversation
from turnlog.projections.history import StoredHistory
from turnlog.projections.live_head import LiveHead

HIDING = (ConversationDeleted, MessageRedacted, OriginDeleted)
"""Events that hide earlier words, in forks too; derived tables drop these words."""

_HIDING = frozenset(HIDING)

_HIDING_TAGS = frozenset(TAGS[kind] for kind in HIDING)


class Fork(msgspec.Struct, frozen=True):
    """A fork: shares a conversation's past up to a turn or an event, or up to now.

    events: for an import, the fork's events, from the one that says where it continues from.
    """

    origin: str
    turn: int | None = None
    event: int | None = None
    trial: bool = False
    reason: str | None = None
    events: Sequence[Event] = ()

    def unknown(self, name: str) -> Exception:
        """The error for a missing origin."""
        if not self.events:
            return UnknownConversation(self.origin)
        why = f"continues from {self.origin!r}, which does not exist; import that first"
        return FormatError(why, conversation=name, field="origin")

    def shared(self, origin: LiveHead, history: StoredHistory) -> State:
        """The state after the last shared event. Raises OutOfRange for an unknown turn or event."""
        if self.turn is not None:
            return self._after_turn(history, self.turn)
        last = origin.event if self.event is None else self.event
        if not 1 <= last <= origin.event:
            why = f"event {last} does not exist; the last is {origin.event}"
            raise OutOfRange(self.origin, why)
        return origin.state if last == origin.event else history.state(last)

    def _after_turn(self, history: StoredHistory, turn: int) -> State:
        """Without the next turn's input that a framework may have stored already."""
        state = history.state_after_turn(turn, going_on=False)
        last = before_input(history.newest_first(state.event), state.event)
        if not last:
            raise OutOfRange(self.origin, f"turn {turn} has nothing to share")
        return state if last == state.event else history.state(last)


def begun(name: str, origin: LiveHead, history: StoredHistory, state: State) -> LiveHead:
    """The head that the first row of a fork continues from; state: after the last shared event."""
    is_now = state.event == origin.event
    digest = origin.digest if is_now else history.holding(state.event).digest()
    return LiveHead(name, 0, b"", 1, 0, 0, digest, state.event, state)


def first_events(
    fork: Fork, origin: LiveHead, history: StoredHistory, shared: int
) -> Iterator[Event]:
    """A fork's first events: where it continues from, and what was hidden of that since."""
    if fork.events:
        begin, *rest = fork.events
        assert isinstance(begin, HistoryContinued), "the request is checked"
        yield replace(begin, event=shared, conversation=origin.stream)
    else:
        yield HistoryContinued(shared, origin.stream, reason=fork.reason, trial=fork.trial)
        rest = []
    yield from rest
    if origin.state.redacted and shared < origin.event:
        known = {event.message for event in rest if isinstance(event, MessageRedacted)}
        groups = history.groups(history.before(shared), _HIDING_TAGS)
        numbered = chain.from_iterable(enumerate(events, first) for first, events in groups)
        later = [event for number, event in numbered if number > shared]
        hidden = [*passed_on(later, shared), *hidden_inputs(history, later, shared)]
        yield from (each for each in hidden if getattr(each, "message", None) not in known)


def hide(events: Iterable[Event]) -> bool:
    """Whether one of them hides earlier words."""
    return not _HIDING.isdisjoint(map(type, events))


def passed_on(events: Iterable[Event], shared: int) -> Sequence[Event]:
    """What events of an origin hide in a fork that shares its events up to a number."""
    return [found for event in events if (found := _hidden_too(event, shared)) is not None]


def hidden_inputs(history: StoredHistory, new: Sequence[Event], shared: int) -> Iterator[Event]:
    """Hides, in a fork that shares events up to a number, inputs with redacted words.

    A framework stored them before the message was recorded, which the fork does not share. history:
    the origin's, up to its newest events, which are `new`.
    """
    redacted = [event for event in new if isinstance(event, MessageRedacted)]
    if not any(event.message > shared for event in redacted):
        return
    if (first := before_input(history.newest_first(shared), shared)) == shared:
        return
    events = [*history.newest_first()][::-1]
    shown = Redactions(events).shown
    for number, event in events[first:shared]:
        if shown(number, event) != event:
            yield MessageRedacted(number, redacted[-1].reason, actor=redacted[-1].actor)


def _hidden_too(event: Event, shared: int) -> Event | None:
    if isinstance(event, MessageRedacted):
        within = event.message <= shared
        return MessageRedacted(event.message, event.reason, actor=event.actor) if within else None
    if isinstance(event, OriginDeleted):
        return OriginDeleted(min(event.event, shared), actor=event.actor)
    return OriginDeleted(shared, actor=event.actor) if isinstance(event, HIDING) else None
