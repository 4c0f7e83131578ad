"""Rasa's events into ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_type_hints

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.rewinds import RASA, RASA_ASKS
from turnlog.serializers.rasa.kinds import BLANK, BY_EVENT, BY_TYPE, KINDS, PARTS, Kind

UNTYPED = "(none)"
"""Name of the Unknown that a row without a type becomes."""

_HINTS = {kind.event: get_type_hints(kind.event) for kind in KINDS}
_REQUIRED = {
    kind.event: {field.name for field in msgspec.structs.fields(kind.event) if field.required}
    for kind in KINDS
}
_ABSENT = {"is_interrupted": False}
"""A field's value without its key, if that differs from the field's default."""


def from_rasa(objects: Iterable[Any], first: int = 1) -> Iterator[e.Event]:
    """Our events for Rasa's, oldest first; `first` is the number of the first of them.

    A `user` becomes two events: the message, and its interpretation. An event of an unknown type,
    or without what its type requires, becomes an Unknown that contains all of it.
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
    """The event, or None if a required field cannot be filled."""
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
    """Moves a key's value into its field if the field can hold it and give it back."""
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
    if BY_EVENT.get(kind.event) is not kind:
        kept["type"] = kind.name
    return _with_kept(left, kept, without)


def _with_kept(
    left: dict[str, Any], kept: dict[str, Any], without: Sequence[str]
) -> dict[str, Any] | None:
    if without:
        kept["without"] = list(without)
    if RASA in left:
        kept["own"] = left[RASA]
    return {**left, RASA: kept} if kept else (left or None)


def _understood(left: dict[str, Any], number: int) -> e.MessageUnderstood | None:
    """The contents of `parse_data`, taken out of the event; None without one."""
    parsed = left.get("parse_data")
    if not isinstance(parsed, dict):
        return None
    del left["parse_data"]
    rest, without, values = dict(parsed), list[str](), dict[str, Any]()
    for key in ("text", "message_id"):
        if key not in rest:
            without.append(key)
        elif isinstance(rest[key], str | None) and rest[key] == left.get(key):
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


def _part(part: type[Any], source: dict[str, Any]) -> Any:
    """An Intent or Entity; its extra stores what its fields cannot, nulls included."""
    left, values = dict(source), dict[str, Any]()
    for field, hint in PARTS[part].items():
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
