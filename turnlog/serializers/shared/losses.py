"""What a format cannot hold, counted by name: types of events, fields, and single cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from turnlog.domain.annotations import Frame
from turnlog.domain.events import Event, MessageAnnotated

Held = Mapping[type[msgspec.Struct], frozenset[str]]
"""The fields that a format holds of each type of event or annotation."""


def lost(event: Event, held: Held) -> Iterator[str]:
    """Names of what is lost of an event: its type, or the fields that are set but not held."""
    if type(event) not in held:
        yield type(event).__name__
        return
    yield from _fields(event, held)
    if isinstance(event, MessageAnnotated) and Frame in held:
        for frame in event.frames:
            yield from _fields(frame, held)
            for part in (*(frame.acts or ()), *(frame.spans or ())):
                yield from _fields(part, held)


def _fields(struct: Any, held: Held) -> Iterator[str]:
    kind: type[msgspec.Struct] = type(struct)
    for name, default in _not_held(kind, held.get(kind, frozenset())):
        if getattr(struct, name) != default:
            yield f"{kind.__name__}.{name}"


@cache
def _not_held(kind: type[msgspec.Struct], held: frozenset[str]) -> tuple[tuple[str, Any], ...]:
    """The other fields, with their defaults."""
    fields = msgspec.structs.fields(kind)
    return tuple((field.name, field.default) for field in fields if field.name not in held)
