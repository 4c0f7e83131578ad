"""A conversation's state in the form of Rasa's `current_state()`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import Action, LatestMessage, Loop
from turnlog.domain.state import State
from turnlog.serializers.rasa.writer import parse_data

Find = Callable[[int], e.Event | None]
"""The event with a number."""


def current_state(name: str, state: State, events: Sequence[e.Event] | Find) -> dict[str, Any]:
    """The tracker without its events: `slots` with every declared one, null unless set.

    events: all of them, or a function that finds one by its number, which is asked for the
    interpretation of the latest message.
    """
    find = events if callable(events) else _finder(events)
    context = state.context
    flows = {} if context.stack is None else _flows(context.stack)
    return {
        "sender_id": name,
        "slots": {**dict.fromkeys(state.declared), **context.slots},
        "latest_message": _latest_message(context.latest_message, find),
        "latest_event_time": state.last,
        "followup_action": context.followup,
        "paused": context.paused,
        **flows,
        "events": None,
        "latest_input_channel": state.channel,
        "active_loop": _loop(context.loop, find) if context.loop else {},
        "latest_action": _action(context.latest_action),
        "latest_action_name": action_name(context.latest_action),
    }


def _flows(stack: list[Any]) -> dict[str, Any]:
    """The stack as Rasa Pro shows it, and the flow of its topmost frame."""
    top = stack[-1] if stack else None
    return {"stack": stack, "active_flow": top.get("flow_id") if isinstance(top, dict) else None}


def _finder(events: Sequence[e.Event]) -> Find:
    return lambda number: events[number - 1] if 0 < number <= len(events) else None


def _latest_message(message: LatestMessage | None, find: Find) -> dict[str, Any]:
    """The interpretation with the entities that policies added since."""
    if message is None:
        return dict(_BLANK)
    understood = replace(
        _understood(message, find), intent=message.intent, entities=message.entities
    )
    return _complete(message, understood, find)


def _complete(
    message: LatestMessage, understood: e.MessageUnderstood, find: Find
) -> dict[str, Any]:
    """Rasa's `parse_data` of a loaded message, complete whatever the source lacked."""
    uttered = find(message.event)
    metadata = ((uttered.extra if uttered else None) or {}).get("metadata") or {}
    said = {"text": message.text, "message_id": message.message_id, "metadata": metadata}
    return {**_BLANK, **said, **parse_data(message.text, message.message_id, understood)}


_BLANK: dict[str, Any] = {
    "intent": {}, "entities": [], "text": None, "message_id": None, "metadata": {},
}  # fmt: skip


def _understood(message: LatestMessage, find: Find) -> e.MessageUnderstood:
    found = find(message.understood) if message.understood is not None else None
    return found if isinstance(found, e.MessageUnderstood) else e.MessageUnderstood()


def _action(action: Action | None) -> dict[str, Any]:
    if action is None:
        return {}
    if action.name is not None:
        return {"action_name": action.name}
    return {"action_text": action.action_text}


def action_name(action: Action | None) -> str | None:
    """The latest action's name, or its text if it has no name."""
    return (action.name or action.action_text) if action else None


def _loop(loop: Loop, find: Find) -> dict[str, Any]:
    trigger = loop.trigger
    message = _complete(trigger, _understood(trigger, find), find) if trigger else dict(_BLANK)
    return {
        "name": loop.name,
        "is_interrupted": loop.is_interrupted,
        "rejected": loop.rejected,
        "trigger_message": message,
    }
