"""Events as plain JSON objects with documented names, for people and other programs.

The twin of each event type is a struct that JSON writes as an object. Twins are made from the event
table, and the JSON schema from the twins.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from turnlog.domain.events import BY_NAME, EVENTS, Event
from turnlog.domain.plain import dumps as dumps
from turnlog.domain.plain import struct_in
from turnlog.domain.plain import to_plain as to_plain
from turnlog.errors import FormatError
from turnlog.serializers.shared.extra import kept


@cache
def _twin(cls: type[msgspec.Struct], *, strict: bool = False) -> type[msgspec.Struct]:
    """strict: refuses undeclared fields."""
    hints = get_type_hints(cls)
    fields: list[Any] = []
    for field in msgspec.structs.fields(cls):
        annotation = _twin_type(hints[field.name], strict)
        if field.required:
            fields.append((field.name, annotation))
        elif field.default_factory is not msgspec.NODEFAULT:
            default = msgspec.field(default_factory=field.default_factory)
            fields.append((field.name, annotation, default))
        else:
            fields.append((field.name, annotation, field.default))
    is_event = issubclass(cls, Event)
    return msgspec.defstruct(
        cls.__name__, fields, omit_defaults=True, kw_only=True, gc=False,
        tag=cls.__name__ if is_event else None, tag_field="type" if is_event else None,
        forbid_unknown_fields=strict, namespace={"__doc__": cls.__doc__},
    )  # fmt: skip


def _twin_type(annotation: Any, strict: bool) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return _twin(annotation, strict=strict)
    arguments = get_args(annotation)
    if not arguments or get_origin(annotation) is typing.Literal:
        return annotation
    mapped = tuple(_twin_type(argument, strict) for argument in arguments)
    origin = get_origin(annotation)
    if origin is types.UnionType or origin is Union:
        return Union[mapped]  # noqa: UP007  # | takes no tuple
    generic: Any = origin
    return generic[mapped]


def from_plain(value: Any, *, unknown: list[str] | None = None) -> Event:
    """An event from its plain form; undeclared fields go to `extra`.

    unknown: receives the places of such fields. Raises FormatError naming the field.
    """
    if not isinstance(value, dict):
        raise FormatError(f"an event must be an object, not {value!r:.60}")
    cls = BY_NAME.get(value["type"]) if isinstance(value.get("type"), str) else None
    if cls is None:
        raise FormatError(f"unknown event type {value.get('type')!r}", field="type")
    try:
        twin = msgspec.convert(value, _twin(cls, strict=True))
    except msgspec.ValidationError:
        twin = _stretched(value, cls, [] if unknown is None else unknown)
    return from_twin(twin)


@cache
def twins() -> Any:
    """The type of all twins, without undeclared fields."""
    return Union[tuple(_twin(event, strict=True) for event in EVENTS)]  # noqa: UP007  # | takes no tuple


def from_twin(twin: Any) -> Event:
    """The event of a twin."""
    event: Event = msgspec.convert(twin, BY_NAME[type(twin).__name__], from_attributes=True)
    return event


def _stretched(value: dict[str, Any], cls: type[msgspec.Struct], unknown: list[str]) -> Any:
    """The twin; what it does not declare or cannot hold is in `extra`."""
    fields, stray = _declared(value, cls, unknown, "")
    if stray:
        fields = {**fields, "extra": _with(fields.get("extra"), stray)}
    try:
        return msgspec.convert(fields, _twin(cls))
    except msgspec.ValidationError:
        return _converted(kept(fields, cls))


@cache
def _names(cls: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(cls.__struct_fields__) | ({"type"} if issubclass(cls, Event) else set())


@cache
def _nested(cls: type[msgspec.Struct]) -> tuple[tuple[str, type[msgspec.Struct]], ...]:
    """The fields that hold structs, and their types."""
    hints = get_type_hints(cls)
    structs = ((name, struct_in(hints[name])) for name in cls.__struct_fields__)
    return tuple((name, struct) for name, struct in structs if struct is not None)


def _declared(
    value: dict[str, Any], cls: type[msgspec.Struct], unknown: list[str], place: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields that a struct declares, and those that neither it nor an inner `extra` can
    hold.
    """
    names = _names(cls)
    stray = {key: item for key, item in value.items() if key not in names}
    unknown += [place + key for key in stray]
    fields = {key: item for key, item in value.items() if key in names} if stray else value
    for name, struct in _nested(cls):
        if held := fields.get(name):
            within, beyond = _declared_within(held, struct, unknown, f"{place}{name}.")
            fields = {**fields, name: within}
            stray |= {f"{name}.{key}": item for key, item in beyond.items()}
    return fields, stray


def _declared_within(
    held: Any, cls: type[msgspec.Struct], unknown: list[str], place: str
) -> tuple[Any, dict[str, Any]]:
    """The same for a field's value, a struct or several; one with an `extra` keeps all."""
    if isinstance(held, list):
        return [_declared_within(item, cls, unknown, place)[0] for item in held], {}
    if not isinstance(held, dict):
        return held, {}
    fields, stray = _declared(held, cls, unknown, place)
    if stray and "extra" in cls.__struct_fields__:
        return {**fields, "extra": _with(fields.get("extra"), stray)}, {}
    return fields, stray


def _with(extra: Any, stray: dict[str, Any]) -> dict[str, Any]:
    if extra is not None and not isinstance(extra, dict):
        raise FormatError(f"expected an object, not {extra!r:.60}", field="extra")
    return {**(extra or {}), **stray}


def _converted(value: dict[str, Any]) -> Any:
    try:
        return msgspec.convert(value, _twin(BY_NAME[value["type"]]))
    except msgspec.ValidationError as error:
        why, _, place = str(error).partition(" - at ")
        raise FormatError(why, field=place.strip("`$.") or None) from error


def schema() -> dict[str, Any]:
    """JSON schema of an event."""
    twins = tuple(_twin(event) for event in EVENTS)
    return msgspec.json.schema(Union[twins])  # noqa: UP007  # | takes no tuple
