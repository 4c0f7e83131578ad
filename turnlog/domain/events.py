"""The events of a conversation: one table, from which codec, JSON schema and docs come.

A tag is for ever: it is what the log stores. A field added later goes to the end, with a
default, in a `kw_only` subclass that takes the tag over (ADR 2).
"""

from __future__ import annotations

from typing import Any

from turnlog.domain.access_events import AccessRecorded as AccessRecorded
from turnlog.domain.access_events import AccessRecordingSet as AccessRecordingSet
from turnlog.domain.agent_events import AgentEnded as AgentEnded
from turnlog.domain.agent_events import AgentStarted as AgentStarted
from turnlog.domain.agent_events import ApprovalAsked as ApprovalAsked
from turnlog.domain.agent_events import ApprovalGiven as ApprovalGiven
from turnlog.domain.agent_events import ForeignRecorded as ForeignRecorded
from turnlog.domain.agent_events import ForeignStateChanged as ForeignStateChanged
from turnlog.domain.agent_events import HistoryCompacted as HistoryCompacted
from turnlog.domain.agent_events import RunInterrupted as RunInterrupted
from turnlog.domain.agent_events import RunResumed as RunResumed
from turnlog.domain.annotations import Act as Act
from turnlog.domain.annotations import Entity as Entity
from turnlog.domain.annotations import Frame as Frame
from turnlog.domain.annotations import Intent as Intent
from turnlog.domain.annotations import Span as Span
from turnlog.domain.branch_events import HistoryContinued as HistoryContinued
from turnlog.domain.branch_events import OriginDeleted as OriginDeleted
from turnlog.domain.erasure_events import ContentErased as ContentErased
from turnlog.domain.erasure_events import ErasureFinished as ErasureFinished
from turnlog.domain.erasure_events import ErasureRecorded as ErasureRecorded
from turnlog.domain.erasure_events import HoldPlaced as HoldPlaced
from turnlog.domain.erasure_events import HoldReleased as HoldReleased
from turnlog.domain.erasure_events import LogVacuumed as LogVacuumed
from turnlog.domain.event import Event as Event
from turnlog.domain.event import Versions as Versions
from turnlog.domain.ledger_events import AiDisclosed as AiDisclosed
from turnlog.domain.ledger_events import ConversationExported as ConversationExported
from turnlog.domain.ledger_events import IncidentReported as IncidentReported
from turnlog.domain.ledger_events import KeyStoreUsed as KeyStoreUsed
from turnlog.domain.ledger_events import OutcomeRecorded as OutcomeRecorded
from turnlog.domain.part_events import AnswerBrokenOff as AnswerBrokenOff
from turnlog.domain.part_events import AnswerEnded as AnswerEnded
from turnlog.domain.part_events import AnswerMeasured as AnswerMeasured
from turnlog.domain.part_events import MediaAdded as MediaAdded
from turnlog.domain.part_events import OpaqueAdded as OpaqueAdded
from turnlog.domain.part_events import ReasoningAdded as ReasoningAdded
from turnlog.domain.part_events import RefusalAdded as RefusalAdded
from turnlog.domain.part_events import TextAdded as TextAdded
from turnlog.domain.part_events import Usage as Usage
from turnlog.domain.retention_events import ProcessingRestricted as ProcessingRestricted
from turnlog.domain.retention_events import RestrictionLifted as RestrictionLifted
from turnlog.domain.retention_events import RetentionRulesSet as RetentionRulesSet
from turnlog.domain.slots import Slot

# --- declarations and sessions ------------------------------------------------------------------


class SlotsDeclared(Event, tag=1, frozen=True, array_like=True, gc=False):
    """The conversation's slots got a type and an initial value.

    closed: a slot that is not declared cannot be set; its event is kept without effect.
    """

    slots: tuple[Slot, ...]
    closed: bool = False


class SessionConfigured(Event, tag=2, frozen=True, array_like=True, gc=False):
    """expiry: seconds without a message after which the session is over; None for never."""

    expiry: float | None = None
    carry_over: bool = True


class SessionStarted(Event, tag=3, frozen=True, array_like=True, gc=False):
    """A new stretch of the conversation: the context begins anew, with the slots as they were or
    at their initial values, as the session settings say."""

    reason: str | None = None


class SessionExpired(Event, tag=4, frozen=True, array_like=True, gc=False):
    """Nobody wrote for as long as the settings allow."""


class SessionEnded(Event, tag=5, frozen=True, array_like=True, gc=False):
    reason: str | None = None


# --- messages -----------------------------------------------------------------------------------


class _Said(Event, frozen=True, array_like=True, gc=False):
    text: str | None = None
    data: dict[str, Any] | None = None


class UserUttered(_Said, tag=10, frozen=True, array_like=True, kw_only=True, gc=False):
    """A user's message was received; it opens the next turn. name: what the user is called."""

    name: str | None = None


class MessageUnderstood(Event, tag=11, frozen=True, array_like=True, gc=False):
    """What was understood of a message; message is its event number, None for the latest."""

    intent: Intent | None = None
    entities: tuple[Entity, ...] = ()
    message: int | None = None


class MessageAnnotated(Event, tag=12, frozen=True, array_like=True, gc=False):
    """Somebody annotated a message (the one of event `message`, of either side)."""

    frames: tuple[Frame, ...] = ()
    message: int | None = None


class ConversationAnnotated(Event, tag=25, frozen=True, array_like=True, gc=False):
    """What a data set says of the conversation as a whole: its goal, services, outcome, …"""

    goal: dict[str, Any] | None = None
    services: list[str] | None = None


class BotUttered(_Said, tag=13, frozen=True, array_like=True, kw_only=True, gc=False):
    """data: quick_replies, buttons, attachment, image, custom, …"""

    name: str | None = None


class AgentUttered(_Said, tag=14, frozen=True, array_like=True, kw_only=True, gc=False):
    """A human operator wrote to the user."""

    name: str | None = None


class _Instructed(Event, frozen=True, array_like=True, gc=False):
    text: str | None = None
    tools: list[Any] | None = None


class SystemInstructed(_Instructed, tag=15, frozen=True, array_like=True, kw_only=True, gc=False):
    """Instructions or tool definitions were given to the model.

    role: `developer` where it was not the system's.
    """

    role: str | None = None
    name: str | None = None


class UserFeaturized(Event, tag=16, frozen=True, array_like=True, gc=False):
    """The policy chose between the message's text and its intent."""

    use_text: bool = False


class EntitiesAdded(Event, tag=17, frozen=True, array_like=True, gc=False):
    entities: tuple[Entity, ...] = ()


class MessageEdited(Event, tag=18, frozen=True, array_like=True, gc=False):
    message: int
    text: str | None = None


class MessageRegenerated(Event, tag=19, frozen=True, array_like=True, gc=False):
    message: int
    text: str | None = None
    data: dict[str, Any] | None = None


class _Redaction(Event, frozen=True, array_like=True, gc=False):
    message: int
    reason: str | None = None


class MessageRedacted(_Redaction, tag=20, frozen=True, array_like=True, kw_only=True, gc=False):
    """The message is hidden from every view; its bytes stay in the log.

    events: numbers of the events that are hidden with it. slots: the slots whose values go.
    """

    events: tuple[int, ...] = ()
    slots: tuple[str, ...] = ()


class MessageRated(Event, tag=21, frozen=True, array_like=True, gc=False):
    message: int
    rating: float | str | None = None
    comment: str | None = None


class DeliverySucceeded(Event, tag=22, frozen=True, array_like=True, gc=False):
    """A channel accepted what was sent; message is the event number of the answer."""

    message: int | None = None
    receipt: Any = None


class DeliveryFailed(Event, tag=23, frozen=True, array_like=True, gc=False):
    message: int | None = None
    reason: str | None = None


class BotFailed(Event, tag=24, frozen=True, array_like=True, gc=False):
    """The bot gave no answer; kind is `error` or `timeout`."""

    kind: str = "error"
    detail: str | None = None


# --- actions and slots --------------------------------------------------------------------------


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


# --- flows --------------------------------------------------------------------------------------


class StackUpdated(Event, tag=90, frozen=True, array_like=True, gc=False):
    """The stack of flows changed: `update` is a JSON Patch (RFC 6902) as text. One that does not
    fit the stack leaves it as it was."""

    update: str


class FlowStarted(Event, tag=91, frozen=True, array_like=True, gc=False):
    flow: str


class FlowInterrupted(Event, tag=92, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


class FlowResumed(Event, tag=93, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


class FlowCompleted(Event, tag=94, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


class FlowCancelled(Event, tag=95, frozen=True, array_like=True, gc=False):
    flow: str
    step: str | None = None


# --- tools --------------------------------------------------------------------------------------


class _Called(Event, frozen=True, array_like=True, gc=False):
    name: str
    arguments: Any = None
    call_id: str | None = None


class ToolCalled(_Called, tag=50, frozen=True, array_like=True, kw_only=True, gc=False):
    """actor is "user" for a call made by the user's side.

    raw: the arguments as the model wrote them, where those parsed do not give them back. server:
    the model's provider runs the tool. signature: the provider's, as text.
    """

    raw: str | None = None
    server: bool = False
    signature: str | None = None


class _Returned(Event, frozen=True, array_like=True, gc=False):
    result: Any = None
    call_id: str | None = None
    name: str | None = None
    is_error: bool | None = None


class ToolReturned(_Returned, tag=51, frozen=True, array_like=True, kw_only=True, gc=False):
    """Answers the nearest earlier unanswered call of its id.

    server: the model's provider ran the tool, and the result is a part of the model's message.
    """

    server: bool = False


# --- session threads ----------------------------------------------------------------------------


class ThreadStarted(Event, tag=60, frozen=True, array_like=True, gc=False):
    unit: str
    state: str


class StateEntered(Event, tag=61, frozen=True, array_like=True, gc=False):
    """by: `next` waits there for a message, `start` and `back` ran the state."""

    unit: str
    state: str
    by: str = "next"


class PromptArmed(Event, tag=62, frozen=True, array_like=True, gc=False):
    """The bot waits for an answer; due is in seconds since the epoch, None for no deadline.

    text and wait: the question and its seconds, to ask it again. attempts: how many there are
    before the thread is given up. on_timeout: the `unit.state` that is run instead.
    """

    token: str
    due: float | None = None
    attempt: int = 1
    text: str | None = None
    wait: float | None = None
    attempts: int = 1
    on_timeout: str | None = None


class PromptAnswered(Event, tag=63, frozen=True, array_like=True, gc=False):
    token: str


class PromptTimedOut(Event, tag=64, frozen=True, array_like=True, gc=False):
    token: str


class PromptCancelled(Event, tag=65, frozen=True, array_like=True, gc=False):
    token: str
    reason: str | None = None


class ThreadEnded(Event, tag=66, frozen=True, array_like=True, gc=False):
    """reason: end, abandoned or restart."""

    reason: str = "end"


class VariableSet(Event, tag=67, frozen=True, array_like=True, gc=False):
    unit: str
    name: str
    value: Any = None


class VariableRemoved(Event, tag=68, frozen=True, array_like=True, gc=False):
    """name None removes every variable of the unit."""

    unit: str
    name: str | None = None


class ThreadImported(Event, tag=69, frozen=True, array_like=True, gc=False):
    """A session came from elsewhere; entry is its JSON as it stood."""

    entry: bytes


# --- session values -----------------------------------------------------------------------------


class ValueSet(Event, tag=70, frozen=True, array_like=True, gc=False):
    """A session value; with `field`, one entry of the object kept under the key."""

    key: str
    value: Any = None
    field: str | None = None
    expires: float | None = None


class ValueAppended(Event, tag=71, frozen=True, array_like=True, gc=False):
    """The list under the key lost its first `trimmed` items and got `items` at its end."""

    key: str
    items: list[Any] = []
    trimmed: int = 0
    field: str | None = None


class ValueRemoved(Event, tag=72, frozen=True, array_like=True, gc=False):
    key: str
    field: str | None = None


class ValuesCleared(Event, tag=73, frozen=True, array_like=True, gc=False):
    retained: tuple[str, ...] = ()


# --- people and keeping -------------------------------------------------------------------------


class UserIdentified(Event, tag=80, frozen=True, array_like=True, gc=False):
    user: str
    traits: dict[str, Any] | None = None


class IdentityMerged(Event, tag=81, frozen=True, array_like=True, gc=False):
    """This conversation's user is also known as `other`, on `channel`."""

    user: str
    other: str


class HandoverStarted(Event, tag=82, frozen=True, array_like=True, gc=False):
    to: str | None = None
    reason: str | None = None


class HandoverEnded(Event, tag=83, frozen=True, array_like=True, gc=False):
    reason: str | None = None


class ConversationTagged(Event, tag=84, frozen=True, array_like=True, gc=False):
    tags: tuple[str, ...] = ()


class ConversationUntagged(Event, tag=85, frozen=True, array_like=True, gc=False):
    tags: tuple[str, ...] = ()


class ConversationDeleted(Event, tag=86, frozen=True, array_like=True, gc=False):
    """A tombstone: hidden everywhere, while the chain still verifies and the bytes remain."""

    reason: str | None = None


class LogRebuilt(Event, tag=87, frozen=True, array_like=True, gc=False):
    """Heads and read models were made again though verifying had found faults; in the log's own
    stream. faults: `conversation`, `event` and `what` of each of the first hundred. count: of all.
    """

    faults: list[Any] = []
    count: int = 0


class EventErased(Event, tag=88, frozen=True, array_like=True, gc=False):
    """What is read in the place of an event whose content was dropped; it is never recorded.

    was: the type that the event had, which the row still says.
    """

    was: str


class TailLost(Event, tag=89, frozen=True, array_like=True, gc=False):
    """A log was opened that ended before the newest row it had had, or held others there; in the
    log's own stream. position: of that row. digest: over the newest rows, up to and with it. end:
    the position of the last one left.
    """

    position: int
    digest: str
    end: int


class Unknown(Event, tag=127, frozen=True, array_like=True, gc=False):
    """An event of a type that no codec declares, whole; `name` is the type it came under."""

    name: str
    content: Any = None


EVENTS: tuple[type[Event], ...] = (
    SlotsDeclared, SessionConfigured, SessionStarted, SessionExpired, SessionEnded,
    UserUttered, MessageUnderstood, MessageAnnotated, ConversationAnnotated, BotUttered,
    AgentUttered, SystemInstructed, UserFeaturized, EntitiesAdded, MessageEdited,
    MessageRegenerated, MessageRedacted, MessageRated, DeliverySucceeded, DeliveryFailed, BotFailed,
    ActionExecuted, ActionRejected, SlotSet, SlotsReset, ActionReverted,
    UserUtteranceReverted, ConversationRestarted, HistoryReplaced, HistoryContinued, OriginDeleted,
    FollowupSet,
    ConversationPaused, ConversationResumed, LoopActivated, LoopInterrupted,
    ReminderScheduled, ReminderCancelled, StoryExported, ConcurrentWriteRecorded, TopicSet,
    StackUpdated, FlowStarted, FlowInterrupted, FlowResumed, FlowCompleted, FlowCancelled,
    ToolCalled, ToolReturned,
    TextAdded, ReasoningAdded, RefusalAdded, MediaAdded, OpaqueAdded, AnswerMeasured,
    AnswerBrokenOff, AnswerEnded, AgentStarted, AgentEnded, ApprovalAsked, ApprovalGiven,
    HistoryCompacted, RunInterrupted, RunResumed, ForeignStateChanged, ForeignRecorded,
    AiDisclosed, IncidentReported, OutcomeRecorded, ConversationExported,
    ThreadStarted, StateEntered, PromptArmed, PromptAnswered, PromptTimedOut, PromptCancelled,
    ThreadEnded, VariableSet, VariableRemoved, ThreadImported,
    ValueSet, ValueAppended, ValueRemoved, ValuesCleared,
    UserIdentified, IdentityMerged, HandoverStarted, HandoverEnded,
    ConversationTagged, ConversationUntagged, ConversationDeleted, LogRebuilt,
    TailLost, KeyStoreUsed, AccessRecordingSet, AccessRecorded, ErasureRecorded, ErasureFinished,
    ContentErased, HoldPlaced, HoldReleased, LogVacuumed, RetentionRulesSet, ProcessingRestricted,
    RestrictionLifted, EventErased, Unknown,
)  # fmt: skip
"""Every type of event there is."""

BY_NAME: dict[str, type[Event]] = {event.__name__: event for event in EVENTS}
