"""What a bot did, and what it decided to do next."""

from __future__ import annotations

from typing import Any

from turnlog.domain.event import Event


class ActionExecuted(Event, tag=30, frozen=True, array_like=True, gc=False):
    """The bot executed an action. confidence and policy: the prediction's, as in Rasa."""

    name: str | None = None
    policy: str | None = None
    confidence: float | None = None
    action_text: str | None = None
    hide_rule_turn: bool | None = None


class ActionRejected(Event, tag=31, frozen=True, array_like=True, gc=False):
    """A predicted action refused to run, such as a form that could not fill its slot."""

    name: str | None = None
    policy: str | None = None
    confidence: float | None = None


class SlotSet(Event, tag=32, frozen=True, array_like=True, gc=False):
    """A slot got a value; None removes it."""

    name: str
    value: Any = None


class SlotsReset(Event, tag=33, frozen=True, array_like=True, gc=False):
    """Every slot returned to its initial value."""


class ActionReverted(Event, tag=34, frozen=True, array_like=True, gc=False):
    """The last action was undone, with what followed: the context is the one after event `to`.

    Recording finds `to` if it is not given, and refuses an undo without an action since the last
    restart or session start.
    """

    to: int | None = None


class UserUtteranceReverted(Event, tag=35, frozen=True, array_like=True, gc=False):
    """The last user message and what followed were retracted; the context is the one after event
    `to`.

    Recording finds `to` if it is not given: the event before the message, or before an action that
    no message separates from it (Rasa's `action_listen`). Without a message since the last restart
    or session start, nothing is retracted.
    """

    to: int | None = None


class ConversationRestarted(Event, tag=36, frozen=True, array_like=True, gc=False):
    """The context began again, with every slot at its initial value."""


class HistoryReplaced(Event, tag=37, frozen=True, array_like=True, gc=False):
    """What follows replaces the history after event `to`; the replaced events stay readable.

    HistoryContinued is the more general event; this one records a PUT of Rasa's events.
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
    """The active form was interrupted, or resumed."""

    is_interrupted: bool = True


class ReminderScheduled(Event, tag=43, frozen=True, array_like=True, gc=False):
    """A reminder was scheduled. due: ISO 8601, as given."""

    intent: str | None = None
    due: str | None = None
    entities: Any = None
    name: str | None = None
    kill_on_user_message: bool | None = None


class ReminderCancelled(Event, tag=44, frozen=True, array_like=True, gc=False):
    """Reminders were cancelled: those that match the given fields."""

    name: str | None = None
    intent: str | None = None
    entities: Any = None


class StoryExported(Event, tag=45, frozen=True, array_like=True, gc=False):
    """The conversation was exported as a story; path: the file."""

    path: str | None = None


class ConcurrentWriteRecorded(Event, tag=46, frozen=True, array_like=True, gc=False):
    """The events after `base` and the following ones were written without knowledge of each
    other.
    """

    base: int
    writer: str | None = None


class TopicSet(Event, tag=47, frozen=True, array_like=True, gc=False):
    """The topic of the talk changed (Rasa Core up to 0.10); it has no effect on the state."""

    topic: str | None = None
