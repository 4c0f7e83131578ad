"""JSON values: a copy of one's own, and whether two are stored byte for byte alike."""

from __future__ import annotations

from typing import Any

from turnlog.encoding import binary

JSON_SCALARS = frozenset({str, int, float, bool, type(None)})


def copied(value: Any) -> Any:
    """A value of one's own: writing into it changes nothing else. Tuples become lists."""
    if isinstance(value, dict):
        return {k: v if type(v) in JSON_SCALARS else copied(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [v if type(v) in JSON_SCALARS else copied(v) for v in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Equal as JSON is: 1, 1.0 and True differ, and so do objects with keys in another order."""
    return one is other or (one == other and binary.encode(one) == binary.encode(other))
