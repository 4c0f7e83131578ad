"""Decide: turns a request to a conversation into the events to record.

This resolves, once, which event a rewind, undo or replacement returns to, and names it in the
recorded event. The caller of the fold supplies the context there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from operator import itemgetter
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.effects.people import IN_CONTEXT, OF_PEOPLE
from turnlog.domain.errors import InvalidEvent, Restricted
from turnlog.domain.fold import fold
from turnlog.domain.history import GrowingHistory, History, leading, past
from turnlog.domain.lineage import MAIN
from turnlog.domain.loops import newest_without_repeats
from turnlog.domain.redactions import Redactions, hidden_by
from turnlog.domain.rewinds import (
    acted_last,
    asked_by_rasa,
    before_action,
    before_message_as_rasa,
    listened,
    until_cleared,
    without_asker,
)
from turnlog.domain.state import State
from turnlog.domain.streams import check_branch
from turnlog.domain.traits import AboutMessage, Clearing, Rewind
from turnlog.domain.values import same


def decide(
    conversation: str,
    state: State,
    asked: Iterable[e.Event],
    *,
    history: History,
    now: float | None = None,
    origin: int | None = None,
) -> tuple[list[e.Event], State]:
    """The events to record and the state after them.

    now: the clock's time in seconds, for events without one; None for an import, which invents no
    time and in which no session expires. origin: the number of the stream that state and history
    belong to, if a fork of it begins.
    """
    if state.deleted:
        raise InvalidEvent(conversation, "conversation", "was deleted; it accepts no more events")
    if state.restricted:
        asked = list(asked)
        if not all(isinstance(event, _OF_RESTRICTED) for event in asked):
            raise Restricted(conversation)
    decision = _Decision(conversation, state, history, now, origin)
    decision.take(asked)
    return decision.events, decision.state


_OF_RESTRICTED = e.RestrictionLifted | e.ConversationDeleted | e.OriginDeleted
"""What a restricted conversation accepts."""


class _Decision:
    """The events decided so far, which later events see as history."""

    def __init__(
        self,
        conversation: str,
        state: State,
        history: History,
        now: float | None,
        origin: int | None,
    ) -> None:
        self.conversation = conversation
        self.origin = origin
        self.base = state.event
        self.now = now
        self.events: list[e.Event] = []
        self.history = GrowingHistory(history, state, self.events)
        self._state = state.copy()
        self._folded = 0
        self._branches = [(state.event, state.lineage.branch)]

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self.base + len(self.events)

    @property
    def state(self) -> State:
        """The state after all events so far, folded when it is needed."""
        if self._folded != len(self.events):
            at = past(self.history, self._state)
            fold(self._state, self.events[self._folded :], at)
            self._folded = len(self.events)
        return self._state

    @property
    def branch(self) -> str:
        """The current branch."""
        return self._branches[-1][1] or MAIN

    def on_branch(self, name: str) -> None:
        """The next event is the first on a branch."""
        self._branches.append((self.last + 1, name))

    def branch_of(self, number: int) -> str:
        """The branch of an event."""
        if number < self.base and self._branches[0][1] is not None:
            return self.history.state(number).lineage.branch or MAIN
        index = bisect_right(self._branches, number, key=itemgetter(0))
        return self._branches[max(index - 1, 0)][1] or MAIN

    def take(self, asked: Iterable[e.Event]) -> None:
        now, decided = self.now, self.events
        for event in asked:
            if event.timestamp is None and now is not None:
                event = replace(event, timestamp=now)
            if (resolve := _RESOLVERS.get(type(event))) is not None:
                event = resolve(self, event)
            decided.append(event)
            if resolve is _user_uttered and now is not None:
                self._answer_prompts()

    def _answer_prompts(self) -> None:
        """In the commit of the message, so that no timer comes between."""
        thread, message = self._state.thread, self.last
        for token in thread.prompts if thread else ():
            self.events.append(e.PromptAnswered(token=token, timestamp=self.now, cause=message))


def _counting(decision: _Decision) -> Iterator[tuple[int, e.Event]]:
    """What still counts since the last restart or session start, newest first."""
    counting = until_cleared(leading(decision.history))
    since = takewhile(lambda item: not isinstance(item[1], Clearing), counting)
    return newest_without_repeats(since, decision.state.loops)


def _action_reverted(decision: _Decision, event: e.ActionReverted) -> e.Event:
    if event.to is not None:
        return _replaced(decision, event)
    ran = decision.state.context.latest_action is not None or asked_by_rasa(event)
    to = before_action(_counting(decision)) if ran else None
    if to is None and not asked_by_rasa(event):
        why = "no action to undo since the last restart or session start"
        raise InvalidEvent(decision.conversation, "ActionReverted", why)
    return _reverted(decision, event, _beginning(decision) if to is None else to)


def _utterance_reverted(decision: _Decision, event: e.UserUtteranceReverted) -> e.Event:
    """Without a message, nothing is retracted; if Rasa asks, everything is."""
    if event.to is not None:
        return _replaced(decision, event)
    if asked_by_rasa(event):
        to = before_message_as_rasa(_counting(decision))
        return _reverted(decision, event, _beginning(decision) if to is None else to)
    to = _before_message(decision)
    return _reverted(decision, event, decision.last if to is None else to)


def _before_message(decision: _Decision) -> int | None:
    """Reads no more than is retracted, whatever the length of the past."""
    if decision.state.context.latest_message is None:
        return None
    counting = _counting(decision)
    said = (number for number, event in counting if isinstance(event, e.UserUttered))
    message = next(said, None)
    if message is None:
        return None
    if decision.state.loops or acted_last(decision.history.state(message - 1).context):
        return (listened(counting) or message) - 1
    return message - 1


def _reverted(decision: _Decision, event: Rewind, to: int) -> e.Event:
    return _replaced(decision, replace(without_asker(event), to=to))


def _beginning(decision: _Decision) -> int:
    """The number of the last restart or session start; 0 for none."""
    counting = until_cleared(leading(decision.history))
    return next((number for number, event in counting if isinstance(event, Clearing)), 0)


def _replaced(decision: _Decision, event: Rewind) -> Rewind:
    if event.to is None or not 0 <= event.to <= decision.last:
        why = f"event {event.to} does not exist; the last is {decision.last}"
        raise InvalidEvent(decision.conversation, f"{type(event).__name__}.to", why)
    return event


def _history_continued(decision: _Decision, event: e.HistoryContinued) -> e.Event:
    """An import brings its past along; otherwise only a fork can share another conversation's."""
    is_forked = decision.origin is not None and not decision.events
    if event.conversation is not None and decision.now is None and not is_forked:
        event = replace(event, conversation=None)
    if event.conversation is not None and (
        event.conversation != decision.origin or decision.events or event.event != decision.base
    ):
        why = f"stream {event.conversation} is not the past of this conversation; fork it"
        raise InvalidEvent(decision.conversation, "HistoryContinued.conversation", why)
    if event.branch is not None:
        check_branch(decision.conversation, event.branch)
    if not 0 <= event.event <= decision.last:
        why = f"event {event.event} does not exist; the last is {decision.last}"
        raise InvalidEvent(decision.conversation, "HistoryContinued.event", why)
    there = decision.branch_of(event.event)
    if event.branch is not None:
        decision.on_branch(event.branch)
    return replace(event, from_branch=None if there == decision.branch else there)


def _origin_deleted(decision: _Decision, event: e.OriginDeleted) -> e.Event:
    """The parts of the state that do not come from the hidden past are named here, once."""
    shared = decision.state.lineage.shared
    if not 0 < event.event <= shared:
        why = f"hides {event.event} events of another conversation, but shares only {shared}"
        raise InvalidEvent(decision.conversation, "OriginDeleted.event", why)
    numbered, state = [*decision.history.newest_first()][::-1], decision.state
    shown = Redactions([*numbered, (state.event + 1, event)]).state(state.event)
    slots, left = state.context.slots, shown.context.slots
    fields = [name for name in OF_PEOPLE if getattr(state, name) == getattr(shown, name)]
    for name in IN_CONTEXT:
        if getattr(state.context, name) == getattr(shown.context, name):
            fields.append(name)
    return replace(
        event,
        slots=tuple(name for name in sorted(slots) if same(slots[name], left.get(name))),
        tags=tuple(tag for tag in state.tags if tag in shown.tags),
        fields=tuple(fields),
    )


def _user_uttered(decision: _Decision, event: e.UserUttered) -> e.Event:
    """Live, a message begins a new session if the previous one has ended."""
    if (now := decision.now) is None:
        return event
    before = decision.state
    expiry = before.session.expiry
    quiet = now - before.last if before.last is not None else 0.0
    if expiry is not None and quiet > expiry and before.session.ended is None:
        decision.events.append(e.SessionExpired(timestamp=now))
        before = decision.state
    session = before.session
    if session.ended is not None or (session.number == 0 and expiry is not None):
        decision.take([e.SessionStarted()])
    return event


def _message_understood(decision: _Decision, event: e.MessageUnderstood) -> e.Event:
    if event.message is not None:
        return _about_a_message(decision, event)
    latest = decision.state.context.latest_message
    return event if latest is None else replace(event, message=latest.event)


def _about_a_message(decision: _Decision, event: AboutMessage) -> e.Event:
    if event.message is not None:
        _check_number(decision, event, "message", event.message)
    return event


def _check_number(decision: _Decision, event: e.Event, field: str, number: int) -> None:
    if not 1 <= number <= decision.last:
        why = f"event {number} does not exist; the last is {decision.last}"
        raise InvalidEvent(decision.conversation, f"{type(event).__name__}.{field}", why)


def _history_compacted(decision: _Decision, event: e.HistoryCompacted) -> e.Event:
    _check_number(decision, event, "first", event.first)
    _check_number(decision, event, "last", event.last)
    if event.first > event.last:
        why = f"event {event.first} comes after event {event.last}"
        raise InvalidEvent(decision.conversation, "HistoryCompacted.first", why)
    return event


def _message_redacted(decision: _Decision, event: e.MessageRedacted) -> e.Event:
    """What the redaction hides is named here, once: events by number, slots by name."""
    _about_a_message(decision, event)
    for number in event.events:
        _check_number(decision, event, "events", number)
    if event.events:
        return event
    numbered, before = [*decision.history.newest_first()][::-1], decision.state
    number = before.event + 1
    hidden = hidden_by(event.message, numbered, number)
    event = replace(event, events=tuple(sorted(hidden)))
    numbered.append((number, event))
    slots, shown = before.context.slots, Redactions(numbered).state(before.event).context.slots
    return replace(event, slots=tuple(name for name in sorted(slots) if name not in shown))


def _never_recorded(decision: _Decision, event: e.EventErased) -> e.Event:
    raise InvalidEvent(decision.conversation, "EventErased", "can only be read, never recorded")


_RESOLVERS: dict[type[e.Event], Callable[[_Decision, Any], e.Event]] = {
    e.UserUttered: _user_uttered,
    e.MessageUnderstood: _message_understood,
    e.MessageAnnotated: _about_a_message,
    e.MessageEdited: _about_a_message,
    e.MessageRegenerated: _about_a_message,
    e.MessageRedacted: _message_redacted,
    e.MessageRated: _about_a_message,
    e.DeliverySucceeded: _about_a_message,
    e.DeliveryFailed: _about_a_message,
    e.AnswerMeasured: _about_a_message,
    e.AnswerBrokenOff: _about_a_message,
    e.HistoryCompacted: _history_compacted,
    e.ActionReverted: _action_reverted,
    e.UserUtteranceReverted: _utterance_reverted,
    e.HistoryReplaced: _replaced,
    e.HistoryContinued: _history_continued,
    e.OriginDeleted: _origin_deleted,
    e.EventErased: _never_recorded,
}
