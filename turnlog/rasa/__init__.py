"""Rasa's tracker for library users, on turnlog's own events, fold and log.

tracker = DialogueStateTracker("default", slots=[TextSlot("cuisine")])
tracker.update(SlotSet("cuisine", "Mexican"))
"""

from turnlog.domain.events import (
    ActionExecuted,
    ActionReverted,
    BotUttered,
    ConversationPaused,
    ConversationResumed,
    EntitiesAdded,
    SessionStarted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.domain.events import ActionRejected as ActionExecutionRejected
from turnlog.domain.events import ConversationRestarted as Restarted
from turnlog.domain.events import FollowupSet as FollowupAction
from turnlog.domain.events import LoopActivated as ActiveLoop
from turnlog.domain.events import SlotsReset as AllSlotsReset
from turnlog.rasa.slots import (
    AnySlot,
    BooleanSlot,
    CategoricalSlot,
    FloatSlot,
    ListSlot,
    TextSlot,
)
from turnlog.rasa.tracker import DialogueStateTracker

__all__ = [
    "ActionExecuted",
    "ActionExecutionRejected",
    "ActionReverted",
    "ActiveLoop",
    "AllSlotsReset",
    "AnySlot",
    "BooleanSlot",
    "BotUttered",
    "CategoricalSlot",
    "ConversationPaused",
    "ConversationResumed",
    "DialogueStateTracker",
    "EntitiesAdded",
    "FloatSlot",
    "FollowupAction",
    "ListSlot",
    "Restarted",
    "SessionStarted",
    "SlotSet",
    "TextSlot",
    "UserUtteranceReverted",
    "UserUttered",
]
