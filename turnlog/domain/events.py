"""The events of a conversation: one table, the source of codec, JSON schema and docs.

A tag is permanent, because the log stores it. A field added later goes to the end, with a default,
in a `kw_only` subclass with the same tag (ADR 13).
"""

from __future__ import annotations

from typing import Any

from turnlog.domain.access_events import AccessRecorded as AccessRecorded
from turnlog.domain.access_events import AccessRecordingSet as AccessRecordingSet
from turnlog.domain.action_events import ActionExecuted as ActionExecuted
from turnlog.domain.action_events import ActionRejected as ActionRejected
from turnlog.domain.action_events import ActionReverted as ActionReverted
from turnlog.domain.action_events import ConcurrentWriteRecorded as ConcurrentWriteRecorded
from turnlog.domain.action_events import ConversationPaused as ConversationPaused
from turnlog.domain.action_events import ConversationRestarted as ConversationRestarted
from turnlog.domain.action_events import ConversationResumed as ConversationResumed
from turnlog.domain.action_events import FollowupSet as FollowupSet
from turnlog.domain.action_events import HistoryReplaced as HistoryReplaced
from turnlog.domain.action_events import LoopActivated as LoopActivated
from turnlog.domain.action_events import LoopInterrupted as LoopInterrupted
from turnlog.domain.action_events import ReminderCancelled as ReminderCancelled
from turnlog.domain.action_events import ReminderScheduled as ReminderScheduled
from turnlog.domain.action_events import SlotSet as SlotSet
from turnlog.domain.action_events import SlotsReset as SlotsReset
from turnlog.domain.action_events import StoryExported as StoryExported
from turnlog.domain.action_events import TopicSet as TopicSet
from turnlog.domain.action_events import UserUtteranceReverted as UserUtteranceReverted
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
from turnlog.domain.flow_events import FlowCancelled as FlowCancelled
from turnlog.domain.flow_events import FlowCompleted as FlowCompleted
from turnlog.domain.flow_events import FlowInterrupted as FlowInterrupted
from turnlog.domain.flow_events import FlowResumed as FlowResumed
from turnlog.domain.flow_events import FlowStarted as FlowStarted
from turnlog.domain.flow_events import StackUpdated as StackUpdated
from turnlog.domain.ledger_events import AiDisclosed as AiDisclosed
from turnlog.domain.ledger_events import ConversationExported as ConversationExported
from turnlog.domain.ledger_events import IncidentReported as IncidentReported
from turnlog.domain.ledger_events import KeyStoreUsed as KeyStoreUsed
from turnlog.domain.ledger_events import OutcomeRecorded as OutcomeRecorded
from turnlog.domain.message_events import AgentUttered as AgentUttered
from turnlog.domain.message_events import BotFailed as BotFailed
from turnlog.domain.message_events import BotUttered as BotUttered
from turnlog.domain.message_events import ConversationAnnotated as ConversationAnnotated
from turnlog.domain.message_events import DeliveryFailed as DeliveryFailed
from turnlog.domain.message_events import DeliverySucceeded as DeliverySucceeded
from turnlog.domain.message_events import EntitiesAdded as EntitiesAdded
from turnlog.domain.message_events import MessageAnnotated as MessageAnnotated
from turnlog.domain.message_events import MessageEdited as MessageEdited
from turnlog.domain.message_events import MessageRated as MessageRated
from turnlog.domain.message_events import MessageRedacted as MessageRedacted
from turnlog.domain.message_events import MessageRegenerated as MessageRegenerated
from turnlog.domain.message_events import MessageUnderstood as MessageUnderstood
from turnlog.domain.message_events import SystemInstructed as SystemInstructed
from turnlog.domain.message_events import UserFeaturized as UserFeaturized
from turnlog.domain.message_events import UserUttered as UserUttered
from turnlog.domain.part_events import AnswerBrokenOff as AnswerBrokenOff
from turnlog.domain.part_events import AnswerEnded as AnswerEnded
from turnlog.domain.part_events import AnswerMeasured as AnswerMeasured
from turnlog.domain.part_events import MediaAdded as MediaAdded
from turnlog.domain.part_events import OpaqueAdded as OpaqueAdded
from turnlog.domain.part_events import ReasoningAdded as ReasoningAdded
from turnlog.domain.part_events import RefusalAdded as RefusalAdded
from turnlog.domain.part_events import TextAdded as TextAdded
from turnlog.domain.part_events import Usage as Usage
from turnlog.domain.people_events import ConversationDeleted as ConversationDeleted
from turnlog.domain.people_events import ConversationTagged as ConversationTagged
from turnlog.domain.people_events import ConversationUntagged as ConversationUntagged
from turnlog.domain.people_events import EventErased as EventErased
from turnlog.domain.people_events import HandoverEnded as HandoverEnded
from turnlog.domain.people_events import HandoverStarted as HandoverStarted
from turnlog.domain.people_events import IdentityMerged as IdentityMerged
from turnlog.domain.people_events import LogRebuilt as LogRebuilt
from turnlog.domain.people_events import TailLost as TailLost
from turnlog.domain.people_events import UserIdentified as UserIdentified
from turnlog.domain.retention_events import ProcessingRestricted as ProcessingRestricted
from turnlog.domain.retention_events import RestrictionLifted as RestrictionLifted
from turnlog.domain.retention_events import RetentionRulesSet as RetentionRulesSet
from turnlog.domain.session_events import SessionConfigured as SessionConfigured
from turnlog.domain.session_events import SessionEnded as SessionEnded
from turnlog.domain.session_events import SessionExpired as SessionExpired
from turnlog.domain.session_events import SessionStarted as SessionStarted
from turnlog.domain.session_events import SlotsDeclared as SlotsDeclared
from turnlog.domain.thread_events import PromptAnswered as PromptAnswered
from turnlog.domain.thread_events import PromptArmed as PromptArmed
from turnlog.domain.thread_events import PromptCancelled as PromptCancelled
from turnlog.domain.thread_events import PromptTimedOut as PromptTimedOut
from turnlog.domain.thread_events import StateEntered as StateEntered
from turnlog.domain.thread_events import ThreadEnded as ThreadEnded
from turnlog.domain.thread_events import ThreadImported as ThreadImported
from turnlog.domain.thread_events import ThreadStarted as ThreadStarted
from turnlog.domain.thread_events import VariableRemoved as VariableRemoved
from turnlog.domain.thread_events import VariableSet as VariableSet
from turnlog.domain.tool_events import ToolCalled as ToolCalled
from turnlog.domain.tool_events import ToolReturned as ToolReturned
from turnlog.domain.value_events import ValueAppended as ValueAppended
from turnlog.domain.value_events import ValueRemoved as ValueRemoved
from turnlog.domain.value_events import ValuesCleared as ValuesCleared
from turnlog.domain.value_events import ValueSet as ValueSet


class Unknown(Event, tag=127, frozen=True, array_like=True, gc=False):
    """An event of a type that no codec declares, whole; `name` is its type in the source."""

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
