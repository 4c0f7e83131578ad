"""Changes of session values as events."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from turnlog.domain import events as e
from turnlog.encoding import binary
from turnlog.encoding.values import same

GONE: Any = object()
"""The value of a missing key."""


def changes(key: str, old: Any, new: Any) -> list[e.Event]:
    """The events that turn `old` into `new` in the fewest bytes; empty without a change.

    GONE is the value of a missing key.
    """
    if new is GONE:
        return [] if old is GONE else [e.ValueRemoved(key=key)]
    whole: list[e.Event] = [e.ValueSet(key=key, value=new)]
    if old is GONE:
        return whole
    if same(old, new):
        return []
    parts = _parts(key, old, new)
    return whole if parts is None or _size(whole) <= _size(parts) else parts


def _parts(key: str, old: Any, new: Any) -> list[e.Event] | None:
    """The change by items or fields; None if it cannot be expressed so."""
    if isinstance(old, list) and isinstance(new, list):
        appended = _appended(key, old, new)
        return None if appended is None else [appended]
    if isinstance(old, dict) and isinstance(new, dict):
        kept = [name for name in old if name in new]
        added = [name for name in new if name not in old]
        if [*kept, *added] == list(new):
            return list(fields(key, old, new))
    return None


def fields(key: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[e.Event]:
    """The change of an object field by field, so that fields saved by others meanwhile stay."""
    for name in old:
        if name not in new:
            yield e.ValueRemoved(key=key, field=name)
    for name, value in new.items():
        before = old.get(name, GONE)
        if before is not GONE and same(before, value):
            continue
        appended = None
        if isinstance(before, list) and isinstance(value, list):
            appended = _appended(key, before, value, name)
        yield appended or e.ValueSet(key=key, value=value, field=name)


def _appended(
    key: str, old: Sequence[Any], new: Sequence[Any], field: str | None = None
) -> e.ValueAppended | None:
    """The event that trims the old list's start and appends the rest; None if nothing is kept."""
    kept = _overlap([binary.encode(v) for v in old], [binary.encode(v) for v in new])
    if not kept:
        return None
    items = list(new[kept:])
    return e.ValueAppended(key=key, items=items, trimmed=len(old) - kept, field=field)


def _overlap(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """Length of the longest end of `old` with which `new` begins (Knuth, Morris and Pratt)."""
    fallback = [0] * len(new)
    length = 0
    for index in range(1, len(new)):
        while length and new[index] != new[length]:
            length = fallback[length - 1]
        length += new[index] == new[length]
        fallback[index] = length
    length = 0
    for item in old:
        while length and (length == len(new) or item != new[length]):
            length = fallback[length - 1]
        if length < len(new):
            length += item == new[length]
    return length


def _size(events: Collection[e.Event]) -> int:
    return len(binary.encode_events(tuple(events)))
