"""Who causes an event: the actor of an event that does not name one."""

from __future__ import annotations

from turnlog.domain import events as e

SYSTEM = "system"

_ACTORS: dict[type[e.Event], str] = {
    e.UserUttered: "user",
    e.MessageRated: "user",
    e.UserIdentified: "user",
    e.AgentUttered: "agent",
    e.ToolReturned: "tool",
    e.BotUttered: "bot",
    e.MessageUnderstood: "bot",
    e.MessageRegenerated: "bot",
    e.UserFeaturized: "bot",
    e.EntitiesAdded: "bot",
    e.ActionExecuted: "bot",
    e.ActionRejected: "bot",
    e.SlotSet: "bot",
    e.SlotsReset: "bot",
    e.FollowupSet: "bot",
    e.LoopActivated: "bot",
    e.LoopInterrupted: "bot",
    e.ReminderScheduled: "bot",
    e.ReminderCancelled: "bot",
    e.ToolCalled: "bot",
    e.TextAdded: "bot",
    e.ReasoningAdded: "bot",
    e.RefusalAdded: "bot",
    e.MediaAdded: "bot",
    e.OpaqueAdded: "bot",
    e.AnswerMeasured: "bot",
    e.AnswerBrokenOff: "bot",
    e.AnswerEnded: "bot",
    e.AgentStarted: "bot",
    e.AgentEnded: "bot",
    e.ApprovalAsked: "bot",
    e.ApprovalGiven: "user",
    e.HistoryCompacted: "bot",
    e.RunInterrupted: "bot",
    e.AiDisclosed: "bot",
}


def actor(event: e.Event) -> str:
    """user, bot, agent, tool or system, unless the event names its actor."""
    return event.actor or _ACTORS.get(type(event), SYSTEM)
