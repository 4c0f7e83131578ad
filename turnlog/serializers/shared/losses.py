"""What a format cannot hold, counted by name: types of events, fields, and single cases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from operator import attrgetter
from typing import Any

import msgspec

from turnlog.domain.annotations import Frame
from turnlog.domain.events import Event, MessageAnnotated

Held = Mapping[type[msgspec.Struct], frozenset[str]]
"""The fields that a format holds of each type of event or annotation."""


def lost(events: Iterable[Event], held: Held) -> Counter[str]:
    """Counts of what is lost of events: their types, or the fields that are set but not held."""
    lost: Counter[str] = Counter()
    for kind, same in _by_kind(events).items():
        if kind not in held:
            lost[kind.__name__] += len(same)
            continue
        _count_fields(kind, same, held, lost)
        if kind is MessageAnnotated and Frame in held:
            for part, parts in _by_kind(_annotations(same)).items():
                _count_fields(part, parts, held, lost)
    return lost


def _by_kind(structs: Iterable[Any]) -> Mapping[type[msgspec.Struct], list[Any]]:
    found: defaultdict[type[msgspec.Struct], list[Any]] = defaultdict(list)
    for each in structs:
        found[type(each)].append(each)
    return found


def _annotations(events: Iterable[MessageAnnotated]) -> Iterator[msgspec.Struct]:
    for frame in (frame for event in events for frame in event.frames):
        yield frame
        yield from frame.acts or ()
        yield from frame.spans or ()


def _count_fields(
    kind: type[msgspec.Struct], same: list[Any], held: Held, lost: Counter[str]
) -> None:
    for name, read, default in _not_held(kind, held.get(kind, frozenset())):
        if count := len(same) - [*map(read, same)].count(default):
            lost[name] += count


@cache
def _not_held(
    kind: type[msgspec.Struct], held: frozenset[str]
) -> list[tuple[str, Callable[[Any], Any], Any]]:
    """The other fields: their labels, accessors and defaults."""
    return [
        (f"{kind.__name__}.{field.name}", attrgetter(field.name), field.default)
        for field in msgspec.structs.fields(kind)
        if field.name not in held
    ]
