"""Events as JSON without the plain values in between: the same bytes as `dumps(to_plain(event))`.

A struct that JSON writes as an object is made for each type; msgspec compares its values with the
defaults by identity, so that types with other defaults than singletons take the longer way.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple

from turnlog.domain.events import Event
from turnlog.domain.plain import encode, fields, to_plain

_NEVER = object()
"""Default of a field that is always written."""


class _Form(NamedTuple):
    """nested: places of the fields that contain structs. extra: place of `extra`."""

    struct: type[msgspec.Struct]
    nested: tuple[int, ...]
    extra: int | None


def events_json(events: Iterable[Event]) -> list[Any]:
    """Each event as its JSON; as plain values if a text among them has half a surrogate pair."""
    events = tuple(events)
    try:
        return [msgspec.Raw(encode(_written(event))) for event in events]
    except UnicodeEncodeError:
        return [*map(to_plain, events)]


def _written(value: Any) -> Any:
    """What JSON writes as it writes `to_plain` of the value."""
    if isinstance(value, msgspec.Struct):
        return _as_object(value)
    if isinstance(value, list | tuple):
        return [*map(_written, value)]
    if isinstance(value, dict):
        return {key: _written(item) for key, item in value.items()}
    return value


def _as_object(value: msgspec.Struct) -> Any:
    form, held = _form(type(value)), astuple(value)
    if form is None or (form.extra is not None and held[form.extra] is not None):
        return to_plain(value)
    if form.nested:
        parts = [*held]
        for place in form.nested:
            if parts[place]:  # else it may be the default, which is known by its identity
                parts[place] = _written(parts[place])
        return form.struct(*parts)
    return form.struct(*held)


@cache
def _form(cls: type[msgspec.Struct]) -> _Form | None:
    """None if the defaults are not singletons."""
    listed = fields(cls)
    if not all(_is_single(field.default) for field in listed):
        return None
    members = [(field.name, Any, _default(field.default)) for field in listed]
    tag = None if cls.__struct_config__.tag is None else cls.__name__
    struct = msgspec.defstruct(
        cls.__name__, members, omit_defaults=True, gc=False, tag=tag, tag_field=tag and "type"
    )
    names = [field.name for field in listed]
    nested = tuple(place for place, field in enumerate(listed) if field.holds)
    return _Form(struct, nested, names.index("extra") if "extra" in names else None)


def _is_single(default: Any) -> bool:
    return default in (None, "", ()) or default is msgspec.NODEFAULT or isinstance(default, bool)


def _default(default: Any) -> Any:
    return _NEVER if default is msgspec.NODEFAULT else default
