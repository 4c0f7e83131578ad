"""The tracker of the old Rasa Core docs, which is updated with events."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

from turnlog.domain.context import LatestMessage, Loop
from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import ConversationRestarted, Event, SessionStarted, SlotsDeclared
from turnlog.domain.history import NoHistory
from turnlog.domain.loops import without_repeats
from turnlog.domain.rewinds import applied
from turnlog.domain.slots import Slot
from turnlog.domain.state import State
from turnlog.engine.log import Turnlog
from turnlog.errors import UnknownConversation
from turnlog.serializers.rasa.reader import from_rasa
from turnlog.serializers.rasa.state import action_name, current_state
from turnlog.serializers.rasa.writer import to_rasa


class DialogueStateTracker:
    """A conversation's state under Rasa's names, in memory or of a stored conversation.

    slots: the declared slots, the only ones that can be set; None allows any. log: where the
    conversation is stored; each update is one commit, durable on return. clock: UTC seconds for
    events without a timestamp.
    """

    def __init__(
        self,
        sender_id: str,
        slots: Iterable[Slot] | None = None,
        *,
        log: Turnlog | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.sender_id = sender_id
        self._log = log
        self._clock = clock
        self._conversation = self._found()
        if slots is not None and not self._state.declared:
            self.update(SlotsDeclared(tuple(slots), closed=True))

    @classmethod
    def from_events(
        cls, sender_id: str, events: Iterable[Event], slots: Iterable[Slot] | None = None
    ) -> Self:
        """A tracker in memory, after the events, oldest first."""
        tracker = cls(sender_id, slots)
        for event in events:
            tracker.update(event)
        return tracker

    @classmethod
    def from_dict(
        cls, sender_id: str, events: Sequence[dict[str, Any]], slots: Iterable[Slot] | None = None
    ) -> Self:
        """A tracker in memory, after events in Rasa's JSON."""
        tracker = cls(sender_id, slots)
        for event in from_rasa(events, tracker._state.event + 1):
            tracker.update(event)
        return tracker

    def _found(self) -> Conversation:
        if self._log is not None:
            try:
                return self._log.conversation(self.sender_id)
            except UnknownConversation:
                pass
        return Conversation(self.sender_id, State(), NoHistory())

    @property
    def _state(self) -> State:
        return self._conversation.state

    def update(self, event: Event) -> None:
        """Applies an event. Raises InvalidEvent."""
        if self._log is None:
            now = self._clock()
            self._conversation.stage(event, recorded=now, now=now)
        else:
            self._log.record(self.sender_id, event)
            self._conversation = self._log.conversation(self.sender_id)

    @property
    def slots(self) -> dict[str, Any]:
        """The values of all declared slots, None if not set, and of the other slots that
        are set.
        """
        return {**dict.fromkeys(self._state.declared), **self._state.context.slots}

    def get_slot(self, name: str) -> Any:
        """A slot's value, None if not set."""
        return self._state.context.slots.get(name)

    @property
    def events(self) -> list[Event]:
        """All events, oldest first, without the declaration of slots."""
        every = self._conversation.events()
        return [event for event in every if not isinstance(event, SlotsDeclared)]

    @property
    def latest_message(self) -> LatestMessage | None:
        """The user's last message; None before the first."""
        return self._state.context.latest_message

    @property
    def latest_action_name(self) -> str | None:
        """The name of the last action."""
        return action_name(self._state.context.latest_action)

    @property
    def active_loop(self) -> Loop | None:
        """The active loop (a form), or None."""
        return self._state.context.loop

    @property
    def followup_action(self) -> str | None:
        """The action that runs next, if an event asked for it."""
        return self._state.context.followup

    def is_paused(self) -> bool:
        """Whether the bot is paused."""
        return self._state.context.paused

    def applied_events(self) -> list[Event]:
        """The events that count, oldest first: no retracted ones, and none before the last
        restart.
        """
        numbered = list(enumerate(self._conversation.events(), 1))
        clears = (ConversationRestarted, SessionStarted, SlotsDeclared)
        counting = [item for item in applied(numbered[::-1]) if not isinstance(item[1], clears)]
        kept = without_repeats(counting[::-1], self._state.loops)
        return [event for _, event in kept]

    def current_state(self, *, events: bool = False) -> dict[str, Any]:
        """The tracker in Rasa's JSON, with all events if `events` is true, else None."""
        every = list(self._conversation.events())
        state = current_state(self.sender_id, self._state, every)
        return {**state, "events": list(to_rasa(every)) if events else None}

    def as_dialogue(self, turns: int | None = None) -> Dialogue:
        """The conversation's events, or those of its last turns."""
        return self._conversation.dialogue(turns)

    def copy(self) -> DialogueStateTracker:
        """A tracker in memory with the same events."""
        return type(self).from_events(self.sender_id, self._conversation.events())
