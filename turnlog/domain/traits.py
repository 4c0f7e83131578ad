"""What several types of events have in common, named once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.annotations import Entity

Replacing = e.HistoryReplaced | e.HistoryContinued
"""The conversation continues from an earlier event, named in `to`; Rasa has no such event."""

Rewind = e.ActionReverted | e.UserUtteranceReverted | Replacing
"""Returns to an earlier event, named in `to`."""

Clearing = e.ConversationRestarted | e.SessionStarted
"""Earlier events no longer count for what the bot does next."""

Utterance = e.UserUttered | e.BotUttered | e.AgentUttered
"""A message of the user, the bot or a human operator."""

Hiding = e.MessageRedacted | e.OriginDeleted
"""Hides earlier words."""

Rewrite = e.MessageEdited | e.MessageRegenerated | e.MessageRedacted
"""Changes an earlier message, named in `message`."""

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
"""Stores a value under a name: a slot, a thread's variable, a session value, a framework's
state.
"""

Reminder = e.ReminderScheduled | e.ReminderCancelled
"""A message of a source to itself, with entities of what was said."""

Part = e.TextAdded | e.ReasoningAdded | e.RefusalAdded | e.MediaAdded | e.OpaqueAdded
"""Part of a message and nothing else."""


def entities_in(event: e.Event) -> tuple[Entity, ...]:
    """What was understood in a message. A reminder's entities are of a message to come, and have
    the form of their source.
    """
    return event.entities if isinstance(event, e.MessageUnderstood | e.EntitiesAdded) else ()


def reminded_in(event: e.Event) -> Iterator[Any]:
    """The values of a reminder's entities, whatever their form."""
    if isinstance(event, Reminder):
        given = event.entities
        for each in given if isinstance(given, list) else [given]:
            yield each.get("value", each) if isinstance(each, dict) else each


def opens_turn(event: e.Event) -> bool:
    """Whether it is a user's message, possibly without its content."""
    if type(event) is e.UserUttered:
        return True
    return type(event) is e.EventErased and event.was == e.UserUttered.__name__
