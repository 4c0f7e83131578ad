"""Fields that cannot hold what came for them: something to show stands in the field, what came in
`extra` under the field's name; on the way out it takes the field's place again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import msgspec

from turnlog.domain.values import RawJson

_LONE = re.compile("[\ud800-\udfff]")


def displayable(value: Any) -> Any:
    """A value with U+FFFD for each lone surrogate, and None for a number that is too much."""
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
    """Whether a value is kept raw, all of it or in part."""
    if isinstance(value, dict):
        return any(map(is_raw, value.values()))
    return any(map(is_raw, value)) if isinstance(value, list) else isinstance(value, RawJson)


def kept(fields: Mapping[str, Any], cls: type[msgspec.Struct]) -> dict[str, Any]:
    """A struct's fields such that each can hold its value; what came instead is in `extra`."""
    hints = get_type_hints(cls)
    fitting, stray = dict(fields), dict[str, Any]()
    for name, value in fields.items():
        if not is_raw(value):
            continue
        struct = struct_in(hints.get(name))
        if struct is not None and "extra" in struct.__struct_fields__:
            fitting[name] = _kept_within(value, struct)
        elif name in hints and not _holds(hints[name], value):
            fitting[name], stray[name] = displayable(value), value
    if stray:
        fitting["extra"] = {**(fitting.get("extra") or {}), **stray}
    return fitting


def overridden(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with what `kept` put into `extra` in the place where it came from."""
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


def struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """The struct that a field of this type holds, or holds several of."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    found = (struct_in(argument) for argument in get_args(annotation))
    return next((struct for struct in found if struct is not None), None)


def _kept_within(value: Any, struct: type[msgspec.Struct]) -> Any:
    if isinstance(value, list):
        return [_kept_within(item, struct) for item in value]
    return kept(value, struct) if isinstance(value, dict) else value


def _holds(annotation: Any, value: Any) -> bool:
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return False
    return True
