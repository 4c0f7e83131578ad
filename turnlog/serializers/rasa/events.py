"""Rasa's events and ours: one table for every format of Rasa's, in both directions.

A Rasa event is the object that its `as_dict()` writes. What comes in comes out again: a key that
our type has no field for, or whose value the field cannot hold, stands in `extra` under its own
name; what else is needed to write the event as it was stands in `extra["$rasa"]`: the `type` where
it is a legacy one, and the keys a 3.6 event has and this one is `without`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.rewinds import RASA, RASA_ASKS

RASA_EXTRA = RASA
UNTYPED = "(none)"
"""Name of the Unknown that a row without a type becomes."""


class Kind(NamedTuple):
    """One of Rasa's types.

    fields: key of Rasa's JSON to field of ours; 3.6 always writes them. optional: the same, left
    out when None. constants: keys that 3.6 always writes and that have no field. inverted: the
    field says the contrary. classes: names of the Python class, the oldest first.
    attributes: key to the class's attribute where that has another name. class_constants: what
    only the class has.
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
    Kind("topic", e.TopicSet, ("TopicSet",), {"topic": "topic"}),
)  # fmt: skip

BY_TYPE = {kind.name: kind for kind in KINDS}
_BY_EVENT = {kind.event: kind for kind in reversed(KINDS)}
_HINTS = {kind.event: get_type_hints(kind.event) for kind in KINDS}
_REQUIRED = {
    kind.event: {field.name for field in msgspec.structs.fields(kind.event) if field.required}
    for kind in KINDS
}
BLANK = {"hide_rule_turn": False}
"""What Rasa writes under a key where our field says nothing; null elsewhere."""
_ABSENT = {"is_interrupted": False}
"""What a field is without its key, where that is not the field's own default."""


# --- from Rasa ----------------------------------------------------------------------------------


def from_rasa(objects: Iterable[Any], first: int = 1) -> Iterator[e.Event]:
    """Our events for Rasa's, oldest first; `first` is the number the first of them will have.

    A `user` becomes two, what was said and what was understood. What is of no type that the table
    has, or lacks what its type must have, becomes an Unknown with all of it.
    """
    number = first
    for source in objects:
        for event in _events(source, number):
            yield event
            number += 1


def _events(source: Any, number: int) -> tuple[e.Event, ...]:
    kind = _kind(source)
    if kind is None:
        return (_unknown(source),)
    left = {key: value for key, value in source.items() if key != "event"}
    understood = _understood(left, number) if kind.name == "user" else None
    event = _typed(kind, left, unparsed=understood is None and "parse_data" not in left)
    if event is None:
        return (_unknown(source),)
    if understood is None:
        return (event,)
    return event, replace(understood, timestamp=event.timestamp)


def _kind(source: Any) -> Kind | None:
    name = source.get("event") if isinstance(source, dict) else None
    return BY_TYPE.get(name) if isinstance(name, str) else None


def _unknown(source: Any) -> e.Event:
    held = source if isinstance(source, dict) else {}
    name, time = held.get("event"), held.get("timestamp")
    timestamp = float(time) if isinstance(time, int | float) else None
    return e.Unknown(name if isinstance(name, str) else UNTYPED, source, timestamp=timestamp)


def _typed(kind: Kind, left: dict[str, Any], *, unparsed: bool) -> e.Event | None:
    """The event, or None where a field that it must have cannot be filled."""
    values: dict[str, Any] = {}
    without = [key for key in (*kind.fields, *kind.constants) if key not in left]
    if kind.name == "user" and unparsed:
        without.append("parse_data")
    for key, field in {**kind.fields, **kind.optional, "timestamp": "timestamp"}.items():
        if key in left:
            _fill(kind, key, field, left, values)
        elif field in _ABSENT:
            values[field] = _ABSENT[field]
    if kind.event is e.EntitiesAdded:
        _take_entities(left, values, without)
    for key, constant in kind.constants.items():
        if left.get(key) == constant:
            del left[key]
    if not _REQUIRED[kind.event] <= values.keys():
        return None
    return kind.event(**values, extra=_extra(left, kind, without))


def _fill(kind: Kind, key: str, field: str, left: dict[str, Any], values: dict[str, Any]) -> None:
    """Move a key's value into its field, where the field can hold it and give it back."""
    value = left[key]
    if kind.inverted and field == "is_interrupted" and isinstance(value, bool):
        value = not value
    if value is None and (field == "timestamp" or key in kind.optional or key in BLANK):
        return
    try:
        converted = msgspec.convert(value, _HINTS[kind.event][field])
    except msgspec.ValidationError:
        return
    if converted == value:
        values[field] = converted
        del left[key]


def _extra(left: dict[str, Any], kind: Kind, without: Sequence[str]) -> dict[str, Any] | None:
    kept: dict[str, Any] = {}
    if kind.event in (e.ActionReverted, e.UserUtteranceReverted):
        kept.update(RASA_ASKS)
    if _BY_EVENT.get(kind.event) is not kind:
        kept["type"] = kind.name
    return _with_kept(left, kept, without)


def _with_kept(
    left: dict[str, Any], kept: dict[str, Any], without: Sequence[str]
) -> dict[str, Any] | None:
    if without:
        kept["without"] = list(without)
    if RASA_EXTRA in left:
        kept["own"] = left[RASA_EXTRA]
    return {**left, RASA_EXTRA: kept} if kept else (left or None)


def _understood(left: dict[str, Any], number: int) -> e.MessageUnderstood | None:
    """What `parse_data` says, taken out of the event; None where there is none."""
    parsed = left.get("parse_data")
    if not isinstance(parsed, dict):
        return None
    del left["parse_data"]
    rest, without, values = dict(parsed), list[str](), dict[str, Any]()
    for key in ("text", "message_id"):
        if key not in rest:
            without.append(key)
        elif rest[key] == left.get(key):
            del rest[key]
    _take_intent(rest, values, without)
    _take_entities(rest, values, without)
    return e.MessageUnderstood(**values, message=number, extra=_with_kept(rest, {}, without))


def _take_intent(left: dict[str, Any], values: dict[str, Any], without: list[str]) -> None:
    intent = left.get("intent")
    if "intent" not in left:
        without.append("intent")
    elif isinstance(intent, dict):
        if intent:
            values["intent"] = _part(e.Intent, intent)
        del left["intent"]


def _take_entities(left: dict[str, Any], values: dict[str, Any], without: list[str]) -> None:
    entities = left.get("entities")
    if "entities" not in left:
        without.append("entities")
    elif isinstance(entities, list) and all(_is_entity(entity) for entity in entities):
        values["entities"] = tuple(_part(e.Entity, entity) for entity in entities)
        del left["entities"]


def _is_entity(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("entity"), str)


_PARTS: dict[type, dict[str, Any]] = {
    part: {name: hint for name, hint in get_type_hints(part).items() if name != "extra"}
    for part in (e.Intent, e.Entity)
}


def _part(part: type[Any], source: dict[str, Any]) -> Any:
    """An Intent or Entity; what its fields do not say is in its extra, a null too."""
    left, values = dict(source), dict[str, Any]()
    for field, hint in _PARTS[part].items():
        if left.get(field) is None:
            continue
        try:
            converted = msgspec.convert(left[field], hint)
        except msgspec.ValidationError:
            continue
        if converted == left[field]:
            values[field] = converted
            del left[field]
    return part(**values, extra=left or None)


# --- to Rasa ------------------------------------------------------------------------------------


def to_rasa(
    events: Sequence[e.Event], first: int = 1, lost: Counter[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Rasa's events for ours, as 3.6 writes them or as they came.

    `first` is the number of the first. A HistoryReplaced is carried out, so that Rasa reads the
    history that counts. lost: counts, by type, what Rasa's format has no word for.
    """
    return (source for _, source in written(events, first, lost))


def written(
    events: Sequence[e.Event], first: int = 1, lost: Counter[str] | None = None
) -> Iterator[tuple[e.Event, dict[str, Any]]]:
    """As `to_rasa`, each with the event it is of."""
    left_out = Counter[str]() if lost is None else lost
    return numbered_to_rasa(_unreplaced(events, first, left_out), left_out)


def numbered_to_rasa(
    numbered: Sequence[tuple[int, e.Event]], lost: Counter[str]
) -> Iterator[tuple[e.Event, dict[str, Any]]]:
    """As `written`, for events with their numbers, of which some may be missing."""
    understood = {
        event.message: event for _, event in numbered if isinstance(event, e.MessageUnderstood)
    }
    for number, event in numbered:
        if isinstance(event, e.UserUttered):
            yield event, _user(event, understood.get(number))
        elif isinstance(event, e.Unknown):
            yield event, _whole(event)
        elif (kind := kind_of(event)) is not None:
            yield event, _plain(kind, event)
        elif not isinstance(event, e.MessageUnderstood):
            lost[type(event).__name__] += 1


def kind_of(event: e.Event) -> Kind | None:
    """The kind that an event is written as; None where Rasa has none."""
    kept = (event.extra or {}).get(RASA_EXTRA) or {}
    return BY_TYPE.get(kept.get("type", "")) or _BY_EVENT.get(type(event))


def _unreplaced(
    events: Sequence[e.Event], first: int, lost: Counter[str]
) -> list[tuple[int, e.Event]]:
    kept: list[tuple[int, e.Event]] = []
    for number, event in enumerate(events, first):
        if isinstance(event, e.HistoryReplaced):
            before = len(kept)
            kept = [item for item in kept if item[0] <= event.to]
            if len(kept) < before:
                lost["replaced events"] += before - len(kept)
        else:
            kept.append((number, event))
    return kept


def _whole(event: e.Unknown) -> dict[str, Any]:
    return event.content if isinstance(event.content, dict) else {"event": event.name}


def _plain(kind: Kind, event: e.Event) -> dict[str, Any]:
    plain: dict[str, Any] = {"event": kind.name}
    if event.timestamp is not None:
        plain["timestamp"] = event.timestamp
    for key, field in kind.fields.items():
        value = getattr(event, field)
        if value is None:
            value = BLANK.get(key)
        plain[key] = not value if kind.inverted and field == "is_interrupted" else value
    for key, field in kind.optional.items():
        if getattr(event, field) is not None:
            plain[key] = getattr(event, field)
    if isinstance(event, e.EntitiesAdded):
        plain["entities"] = [_of_part(entity) for entity in event.entities]
    plain.update(kind.constants)
    return _completed(plain, event.extra)


def _completed(plain: dict[str, Any], extra: dict[str, Any] | None) -> dict[str, Any]:
    """With what `extra` holds, and without what the source was without."""
    kept = (extra or {}).get(RASA_EXTRA) or {}
    for key in kept.get("without", ()):
        plain.pop(key, None)
    plain.update({key: value for key, value in (extra or {}).items() if key != RASA_EXTRA})
    if "own" in kept:
        plain[RASA_EXTRA] = kept["own"]
    return plain


def _user(event: e.UserUttered, understood: e.MessageUnderstood | None) -> dict[str, Any]:
    plain = _plain(BY_TYPE["user"], event)
    parsed = parse_data(event.text, event.message_id, understood or e.MessageUnderstood())
    return _completed({**plain, "parse_data": parsed}, event.extra)


def parse_data(
    text: str | None, message_id: str | None, understood: e.MessageUnderstood
) -> dict[str, Any]:
    """What was understood, as Rasa's `parse_data`."""
    plain: dict[str, Any] = {
        "intent": _of_part(understood.intent) if understood.intent else {},
        "entities": [_of_part(entity) for entity in understood.entities],
        "text": text,
        "message_id": message_id,
    }
    return _completed(plain, understood.extra)


def _of_part(part: e.Intent | e.Entity) -> dict[str, Any]:
    fields = {name: getattr(part, name) for name in _PARTS[type(part)]}
    return {name: value for name, value in fields.items() if value is not None} | (part.extra or {})


entity_to_rasa = _of_part
intent_to_rasa = _of_part
