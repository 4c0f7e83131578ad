"""JSON values: a deep copy, and a comparison of their encodings."""

from __future__ import annotations

from typing import Any

from turnlog.encoding import binary

JSON_SCALARS = frozenset({str, int, float, bool, type(None)})


def copied(value: Any) -> Any:
    """A deep copy of a value. Tuples become lists."""
    if isinstance(value, dict):
        return {k: v if type(v) in JSON_SCALARS else copied(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [v if type(v) in JSON_SCALARS else copied(v) for v in value]
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1, 1.0 and True differ, and so does the order
    of keys.
    """
    return one is other or (one == other and binary.encode(one) == binary.encode(other))
