"""Events and their parts as plain values: their JSON, under the documented names."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec.structs import astuple

from turnlog.domain.values import RawJson

_LONE = re.compile("[\ud800-\udfff]")


def _enc_hook(value: Any) -> Any:
    if isinstance(value, RawJson):
        return msgspec.Raw(value.json)
    raise TypeError(f"a value of type {type(value).__name__} is not a JSON value")


encode = msgspec.json.Encoder(enc_hook=_enc_hook).encode
"""As `dumps`; raises UnicodeEncodeError for half a surrogate pair."""


def dumps(value: Any) -> bytes:
    """One line of JSON; raw JSON values stay as they were received."""
    try:
        return encode(value)
    except UnicodeEncodeError:  # half a surrogate pair
        return as_json(value)


def as_json(value: Any) -> bytes:
    """The value's JSON; raw JSON values stay as they were received."""
    if isinstance(value, RawJson):
        return value.json
    if isinstance(value, list | tuple):
        return b"[" + b",".join(as_json(item) for item in value) + b"]"
    if isinstance(value, dict):
        members = (as_json(key) + b":" + as_json(item) for key, item in value.items())
        return b"{" + b",".join(members) + b"}"
    # UTF-8 cannot encode half a surrogate pair, so it is escaped as in JSON
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace")


class _Field(NamedTuple):
    """How a field is written; holds: whether it contains structs."""

    name: str
    default: Any
    holds: bool


@cache
def fields(cls: type[msgspec.Struct]) -> tuple[_Field, ...]:
    """How to write the fields of a struct, in order."""
    hints = get_type_hints(cls)
    return tuple(
        _Field(field.name, _default(field), struct_in(hints[field.name]) is not None)
        for field in msgspec.structs.fields(cls)
    )


def _default(field: msgspec.structs.FieldInfo) -> Any:
    factory = field.default_factory
    return field.default if factory is msgspec.NODEFAULT else factory()


@cache
def _begin(cls: type[msgspec.Struct]) -> dict[str, Any]:
    return {} if cls.__struct_config__.tag is None else {"type": cls.__name__}


def to_plain(value: Any) -> Any:
    """An event, or any of its parts, as plain values, without the fields at their defaults.

    An event's first member is its type.
    """
    if isinstance(value, msgspec.Struct):
        cls = type(value)
        plain = {**_begin(cls)}
        for (name, default, holds), held in zip(fields(cls), astuple(value), strict=True):
            if held is not default and held != default:
                copied = list(held) if type(held) is tuple else held
                plain[name] = to_plain(held) if holds else copied
        return overridden(plain) if "extra" in plain else plain
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return value


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct in a field of this type, alone or in a sequence."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    found = (struct_in(argument) for argument in get_args(annotation))
    return next((struct for struct in found if struct is not None), None)


def displayable(value: Any) -> Any:
    """A value with U+FFFD for each lone surrogate, and None for a number that is too large."""
    if isinstance(value, RawJson):
        return whole_characters(json.loads(value.json)) if value.json[:1] == b'"' else None
    if isinstance(value, list):
        return [displayable(item) for item in value]
    if isinstance(value, dict):
        return {key: displayable(item) for key, item in value.items()}
    return value


def whole_characters(text: str) -> str:
    """A text with U+FFFD for each lone surrogate."""
    return _LONE.sub("\ufffd", text)


def is_raw(value: Any) -> bool:
    """Whether any part of a value is raw JSON."""
    if isinstance(value, dict):
        return any(map(is_raw, value.values()))
    return any(map(is_raw, value)) if isinstance(value, list) else isinstance(value, RawJson)


def overridden(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields, with the values from `extra` that a field could not represent."""
    extra = fields.get("extra")
    if not extra:
        return fields
    shown = {**fields, "extra": None}
    back = {
        name: value
        for name, value in extra.items()
        if is_raw(value) and displayable(value) == shown.get(name)
    }
    if not back:
        return fields
    rest = {name: value for name, value in extra.items() if name not in back}
    del shown["extra"]
    return shown | back | ({"extra": rest} if rest else {})
