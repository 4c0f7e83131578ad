"""turnlog: an event-sourced conversation engine.

A public name is imported when it is first asked for, so that programs start fast.
"""

import importlib as _importlib
import typing as _typing

if _typing.TYPE_CHECKING:
    from turnlog.domain.commit import Commit
    from turnlog.domain.conversation import Conversation
    from turnlog.domain.dialogue import Dialogue, Turn
    from turnlog.domain.events import (
        Act,
        ActionExecuted,
        ActionRejected,
        ActionReverted,
        AgentUttered,
        BotFailed,
        BotUttered,
        ConcurrentWriteRecorded,
        Context,
        ConversationAnnotated,
        ConversationDeleted,
        ConversationPaused,
        ConversationRestarted,
        ConversationResumed,
        ConversationTagged,
        ConversationUntagged,
        DeliveryFailed,
        DeliverySucceeded,
        EntitiesAdded,
        Entity,
        Event,
        FlowCancelled,
        FlowCompleted,
        FlowInterrupted,
        FlowResumed,
        FlowStarted,
        FollowupSet,
        Frame,
        HandoverEnded,
        HandoverStarted,
        HistoryReplaced,
        IdentityMerged,
        Intent,
        LogRebuilt,
        LoopActivated,
        LoopInterrupted,
        MessageAnnotated,
        MessageEdited,
        MessageRated,
        MessageRedacted,
        MessageRegenerated,
        MessageUnderstood,
        PromptAnswered,
        PromptArmed,
        PromptCancelled,
        PromptTimedOut,
        ReminderCancelled,
        ReminderScheduled,
        SessionConfigured,
        SessionEnded,
        SessionExpired,
        SessionStarted,
        SlotsDeclared,
        SlotSet,
        SlotsReset,
        Span,
        StackUpdated,
        StateEntered,
        StoryExported,
        SystemInstructed,
        ThreadEnded,
        ThreadImported,
        ThreadStarted,
        ToolCalled,
        ToolReturned,
        TopicSet,
        Unknown,
        UserFeaturized,
        UserIdentified,
        UserUtteranceReverted,
        UserUttered,
        ValueAppended,
        ValueRemoved,
        ValuesCleared,
        ValueSet,
        VariableRemoved,
        VariableSet,
        Versions,
    )
    from turnlog.domain.messages import Message
    from turnlog.domain.recorded import RecordedEvent
    from turnlog.domain.slots import Slot
    from turnlog.domain.state import State
    from turnlog.engine.aio import AsyncTurnlog
    from turnlog.engine.log import Turnlog
    from turnlog.engine.opening import aopen, open

__version__ = "0.1.0"

__all__ = [
    "Act",
    "ActionExecuted",
    "ActionRejected",
    "ActionReverted",
    "AgentUttered",
    "AsyncTurnlog",
    "BotFailed",
    "BotUttered",
    "Commit",
    "ConcurrentWriteRecorded",
    "Context",
    "Conversation",
    "ConversationAnnotated",
    "ConversationDeleted",
    "ConversationPaused",
    "ConversationRestarted",
    "ConversationResumed",
    "ConversationTagged",
    "ConversationUntagged",
    "DeliveryFailed",
    "DeliverySucceeded",
    "Dialogue",
    "EntitiesAdded",
    "Entity",
    "Event",
    "FlowCancelled",
    "FlowCompleted",
    "FlowInterrupted",
    "FlowResumed",
    "FlowStarted",
    "FollowupSet",
    "Frame",
    "HandoverEnded",
    "HandoverStarted",
    "HistoryReplaced",
    "IdentityMerged",
    "Intent",
    "LogRebuilt",
    "LoopActivated",
    "LoopInterrupted",
    "Message",
    "MessageAnnotated",
    "MessageEdited",
    "MessageRated",
    "MessageRedacted",
    "MessageRegenerated",
    "MessageUnderstood",
    "PromptAnswered",
    "PromptArmed",
    "PromptCancelled",
    "PromptTimedOut",
    "RecordedEvent",
    "ReminderCancelled",
    "ReminderScheduled",
    "SessionConfigured",
    "SessionEnded",
    "SessionExpired",
    "SessionStarted",
    "Slot",
    "SlotSet",
    "SlotsDeclared",
    "SlotsReset",
    "Span",
    "StackUpdated",
    "State",
    "StateEntered",
    "StoryExported",
    "SystemInstructed",
    "ThreadEnded",
    "ThreadImported",
    "ThreadStarted",
    "ToolCalled",
    "ToolReturned",
    "TopicSet",
    "Turn",
    "Turnlog",
    "Unknown",
    "UserFeaturized",
    "UserIdentified",
    "UserUtteranceReverted",
    "UserUttered",
    "ValueAppended",
    "ValueRemoved",
    "ValueSet",
    "ValuesCleared",
    "VariableRemoved",
    "VariableSet",
    "Versions",
    "aopen",
    "open",
]

_HOMES = (
    "turnlog.domain.events",
    "turnlog.domain.slots",
    "turnlog.domain.state",
    "turnlog.domain.commit",
    "turnlog.domain.dialogue",
    "turnlog.domain.conversation",
    "turnlog.domain.messages",
    "turnlog.domain.recorded",
    "turnlog.engine.opening",
    "turnlog.engine.log",
    "turnlog.engine.aio",
)
"""Modules of the public names, those first that need little."""


def __getattr__(name: str) -> _typing.Any:
    if name == "errors":
        return _importlib.import_module("turnlog.errors")
    for home in _HOMES if name in __all__ else ():
        if (found := vars(_importlib.import_module(home)).get(name)) is not None:
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
