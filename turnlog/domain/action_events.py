"""What a bot did, and what it keeps in mind."""

from __future__ import annotations

from typing import Any

from turnlog.domain.event import Event


class ActionExecuted(Event, tag=30, frozen=True, array_like=True, gc=False):
    name: str | None = None
    policy: str | None = None
    confidence: float | None = None
    action_text: str | None = None
    hide_rule_turn: bool | None = None


class ActionRejected(Event, tag=31, frozen=True, array_like=True, gc=False):
    name: str | None = None
    policy: str | None = None
    confidence: float | None = None


class SlotSet(Event, tag=32, frozen=True, array_like=True, gc=False):
    """A slot got a value; None takes it away."""

    name: str
    value: Any = None


class SlotsReset(Event, tag=33, frozen=True, array_like=True, gc=False):
    """Every slot went back to its initial value."""


class ActionReverted(Event, tag=34, frozen=True, array_like=True, gc=False):
    """The last action was undone, with what followed: the context is again that after event `to`.

    Recording finds `to` where it is not given, and refuses an undo without an action since the
    last restart or session start.
    """

    to: int | None = None


class UserUtteranceReverted(Event, tag=35, frozen=True, array_like=True, gc=False):
    """The last user message and what followed were taken back, to the context after event `to`.

    Recording finds `to` where it is not given: the event before the message, or before an action
    that no message separates from it (Rasa's `action_listen`). Without a message since the last
    restart or session start, nothing is taken back.
    """

    to: int | None = None


class ConversationRestarted(Event, tag=36, frozen=True, array_like=True, gc=False):
    """The context began anew, with every slot at its initial value."""


class HistoryReplaced(Event, tag=37, frozen=True, array_like=True, gc=False):
    """What follows replaces the history after event `to`; the replaced events stay readable.

    HistoryContinued says the same and more; this one is what a PUT of Rasa's events is recorded as.
    """

    to: int = 0
    reason: str | None = None


class FollowupSet(Event, tag=38, frozen=True, array_like=True, gc=False):
    """The next action was decided beforehand."""

    name: str | None = None


class ConversationPaused(Event, tag=39, frozen=True, array_like=True, gc=False):
    """The bot stopped answering."""


class ConversationResumed(Event, tag=40, frozen=True, array_like=True, gc=False):
    """The bot answers again."""


class LoopActivated(Event, tag=41, frozen=True, array_like=True, gc=False):
    """A form became active; None for none."""

    name: str | None = None


class LoopInterrupted(Event, tag=42, frozen=True, array_like=True, gc=False):
    is_interrupted: bool = True


class ReminderScheduled(Event, tag=43, frozen=True, array_like=True, gc=False):
    """due: ISO 8601, as given."""

    intent: str | None = None
    due: str | None = None
    entities: Any = None
    name: str | None = None
    kill_on_user_message: bool | None = None


class ReminderCancelled(Event, tag=44, frozen=True, array_like=True, gc=False):
    name: str | None = None
    intent: str | None = None
    entities: Any = None


class StoryExported(Event, tag=45, frozen=True, array_like=True, gc=False):
    path: str | None = None


class ConcurrentWriteRecorded(Event, tag=46, frozen=True, array_like=True, gc=False):
    """The events after `base` and the ones that follow were written without knowing each other."""

    base: int
    writer: str | None = None


class TopicSet(Event, tag=47, frozen=True, array_like=True, gc=False):
    """The topic of the talk changed (Rasa Core up to 0.10); it has no effect on the state."""

    topic: str | None = None
