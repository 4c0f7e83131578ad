"""What several types of events have in common, named once."""

from __future__ import annotations

from turnlog.domain import events as e

Replacing = e.HistoryReplaced | e.HistoryContinued
"""What follows goes on from an earlier event, named in `to`; Rasa has no word for it."""

Rewind = e.ActionReverted | e.UserUtteranceReverted | Replacing
"""Goes back to an earlier event, named in `to`."""

Clearing = e.ConversationRestarted | e.SessionStarted
"""Nothing before it counts for what the bot does next."""

Utterance = e.UserUttered | e.BotUttered | e.AgentUttered
"""A message of the user, the bot or a human operator."""

Hiding = e.MessageRedacted | e.OriginDeleted
"""Hides what was said before it."""

Rewrite = e.MessageEdited | e.MessageRegenerated | e.MessageRedacted
"""Changes what an earlier message, named in `message`, says."""

AboutMessage = (
    Rewrite
    | e.MessageUnderstood
    | e.MessageAnnotated
    | e.MessageRated
    | e.DeliverySucceeded
    | e.DeliveryFailed
    | e.AnswerMeasured
    | e.AnswerBrokenOff
)
"""Is about an earlier message, named in `message`."""

SlotChange = e.SlotSet | e.SlotsDeclared | e.SlotsReset | Hiding | Rewind | Clearing
"""Can change slots."""

ValueChange = e.SlotSet | e.VariableSet | e.ValueSet | e.ValueAppended | e.ForeignStateChanged
"""Keeps a value under a name: a slot, a thread's variable, a session value, a framework's state."""

Part = e.TextAdded | e.ReasoningAdded | e.RefusalAdded | e.MediaAdded | e.OpaqueAdded
"""Is a part of a message and nothing else."""


def opens_turn(event: e.Event) -> bool:
    """Whether it is a user's message, of which the content may be gone."""
    if type(event) is e.UserUttered:
        return True
    return type(event) is e.EventErased and event.was == e.UserUttered.__name__
