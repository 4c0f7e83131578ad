"""Rasa's event types and ours: one table for all formats of Rasa's, in both directions.

A Rasa event is the object that its `as_dict()` writes. Events round-trip unchanged: a key without a
field in our type, or with a value that the field cannot hold, is stored in `extra` under its own
name. `extra["$rasa"]` stores what else is needed to write the event back: its `type` if that is a
legacy one, and the keys that a 3.6 event has and this one is `without`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, get_type_hints

import msgspec

from turnlog.domain import events as e
from turnlog.domain.rewinds import RASA


class Kind(NamedTuple):
    """One of Rasa's types.

    fields: key of Rasa's JSON to our field; 3.6 always writes them. optional: the same, omitted
    when None. constants: keys that 3.6 always writes and that have no field. inverted: keys whose
    field means the contrary. classes: names of the Python class, the oldest first. attributes: key
    to the class's attribute if its name differs. class_constants: what only the class has.
    """

    name: str
    event: type[e.Event]
    classes: tuple[str, ...]
    fields: Mapping[str, str] = {}
    optional: Mapping[str, str] = {}
    attributes: Mapping[str, str] = {}
    constants: Mapping[str, Any] = {}
    class_constants: Mapping[str, Any] = {}
    inverted: bool = False


_UTTERED = {"text": "text", "data": "data"}
_NAMED = {"name": "name"}
_POLICY = {"name": "name", "policy": "policy", "confidence": "confidence"}
_REMINDER = {"intent": "intent", "entities": "entities", "name": "name"}
_FLOW = {"flow_id": "flow", "step_id": "step"}

KINDS = (
    Kind(
        "user", e.UserUttered, ("UserUttered",),
        {"text": "text", "input_channel": "channel", "message_id": "message_id"},
        constants={"metadata": {}}, class_constants={"use_text_for_featurization": None},
    ),
    Kind("bot", e.BotUttered, ("BotUttered",), _UTTERED, constants={"metadata": {}}),
    Kind("agent", e.AgentUttered, ("AgentUttered",), _UTTERED),
    Kind(
        "action", e.ActionExecuted, ("ActionExecuted",),
        {**_POLICY, "action_text": "action_text", "hide_rule_turn": "hide_rule_turn"},
        attributes={"name": "action_name"}, class_constants={"unpredictable": False},
    ),
    Kind("slot", e.SlotSet, ("SlotSet",), {"name": "name", "value": "value"},
         attributes={"name": "key"}),
    Kind("reset_slots", e.SlotsReset, ("AllSlotsReset",)),
    Kind("restart", e.ConversationRestarted, ("Restarted",)),
    Kind("session_started", e.SessionStarted, ("SessionStarted",)),
    Kind("rewind", e.UserUtteranceReverted, ("UserUtteranceReverted",)),
    Kind("undo", e.ActionReverted, ("ActionReverted",)),
    Kind("followup", e.FollowupSet, ("FollowupAction",), _NAMED,
         attributes={"name": "action_name"}),
    Kind("pause", e.ConversationPaused, ("ConversationPaused",)),
    Kind("resume", e.ConversationResumed, ("ConversationResumed",)),
    Kind("active_loop", e.LoopActivated, ("ActiveLoop",), _NAMED),
    Kind("form", e.LoopActivated, ("Form", "LegacyForm"), _NAMED),
    Kind("loop_interrupted", e.LoopInterrupted, ("LoopInterrupted",),
         {"is_interrupted": "is_interrupted"}),
    Kind("form_validation", e.LoopInterrupted, ("FormValidation", "LegacyFormValidation"),
         {"validate": "is_interrupted"}, inverted=True),
    Kind("action_execution_rejected", e.ActionRejected, ("ActionExecutionRejected",), _POLICY,
         attributes={"name": "action_name"}),
    Kind("user_featurization", e.UserFeaturized, ("DefinePrevUserUtteredFeaturization",),
         {"use_text_for_featurization": "use_text"}),
    Kind("entities", e.EntitiesAdded, ("EntitiesAdded",)),
    Kind(
        "reminder", e.ReminderScheduled, ("ReminderScheduled",),
        {**_REMINDER, "date_time": "due", "kill_on_user_msg": "kill_on_user_message"},
        attributes={
            "date_time": "trigger_date_time", "kill_on_user_msg": "kill_on_user_message",
        },
    ),
    Kind("cancel_reminder", e.ReminderCancelled, ("ReminderCancelled",), optional=_REMINDER),
    Kind("export", e.StoryExported, ("StoryExported",), optional={"path": "path"}),
    Kind("stack", e.StackUpdated, ("DialogueStackUpdated",), {"update": "update"}),
    Kind("flow_started", e.FlowStarted, ("FlowStarted",), {"flow_id": "flow"}),
    Kind("flow_interrupted", e.FlowInterrupted, ("FlowInterrupted",), _FLOW),
    Kind("flow_resumed", e.FlowResumed, ("FlowResumed",), _FLOW),
    Kind("flow_completed", e.FlowCompleted, ("FlowCompleted",), _FLOW),
    Kind("flow_cancelled", e.FlowCancelled, ("FlowCancelled",), _FLOW),
    Kind("topic", e.TopicSet, ("TopicSet",), {"topic": "topic"}),
)  # fmt: skip

PRO = frozenset({
    "agent_cancelled", "agent_completed", "agent_interrupted", "agent_processing",
    "agent_resumed", "agent_started", "bot_turn_ended", "error", "inactive", "mcp_tool_executed",
    "memory_cleared", "memory_set", "ordered_block_cancelled", "ordered_block_completed",
    "ordered_block_entered", "ordered_block_interrupted", "ordered_block_resumed",
    "routing_session_ended", "session_ended", "skill_activated", "skill_cancelled",
    "skill_completed", "skill_interrupted", "skill_resumed", "tool_executed", "tts_finished",
    "unsupported_request_classified", "user_barge_in", "user_input_suppressed",
    "user_silence_timeout",
})  # fmt: skip
"""Types of Rasa Pro (up to 3.21) without an event of ours; they are stored as Unknown."""

BY_TYPE = {kind.name: kind for kind in KINDS}
BY_EVENT = {kind.event: kind for kind in reversed(KINDS)}
BLANK = {"hide_rule_turn": False}
"""What Rasa writes under a key if our field is empty; null for all other keys."""

OPTIONAL: dict[type, set[str]] = {
    kind.event: {
        field.name for field in msgspec.structs.fields(kind.event) if field.default is None
    }
    for kind in KINDS
}
"""The fields of an event that may be null."""

PARTS: dict[type, dict[str, Any]] = {
    part: {name: hint for name, hint in get_type_hints(part).items() if name != "extra"}
    for part in (e.Intent, e.Entity)
}
"""The fields of an intent and an entity, each with its type."""


def kind_of(event: e.Event) -> Kind | None:
    """The kind that an event is written as; None if Rasa has none."""
    kept = (event.extra or {}).get(RASA) or {}
    return BY_TYPE.get(kept.get("type", "")) or BY_EVENT.get(type(event))
