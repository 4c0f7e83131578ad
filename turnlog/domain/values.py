"""Values that a conversation can contain: JSON values, and JSON that msgspec cannot represent."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from turnlog.domain.attachment import Attachment
from turnlog.domain.errors import InvalidEvent

INT_MIN, INT_MAX = -(2**63), 2**64 - 1
MAX_DEPTH = 100


class RawJson:
    """A JSON value stored as the bytes in which it was received.

    For lone surrogates, non-finite numbers and integers beyond 64 bits.
    """

    __slots__ = ("json",)

    def __init__(self, json: bytes) -> None:
        self.json = json

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RawJson) and other.json == self.json

    def __hash__(self) -> int:
        return hash(self.json)

    def __repr__(self) -> str:
        return f"RawJson({self.json!r})"


SCALARS = frozenset({str, int, float, bool, type(None), RawJson})
"""Types whose values contain no others."""

_KEYS = frozenset({str})


def same(one: Any, other: Any) -> bool:
    """Whether two values or events are stored alike: as ==, but 1, 1.0 and True differ."""
    if one is other:
        return True
    kind = type(one)
    if kind is Attachment or type(other) is Attachment:
        return bool(one == other)
    if kind is not type(other):
        return False
    if kind is list or kind is tuple:
        return len(one) == len(other) and all(map(same, one, other))
    if kind is dict:
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if kind is float:
        return bool(one.hex() == other.hex())
    if isinstance(one, msgspec.Struct):
        return all(same(getattr(one, n), getattr(other, n)) for n in one.__struct_fields__)
    return bool(one == other)


def is_json(value: Any) -> bool:
    """Whether a value consists of JSON's types only; `unholdable` says whether it fits."""
    kind = type(value)
    if kind in SCALARS:
        return True
    if kind is dict:
        if not _KEYS.issuperset(map(type, value)):
            return False
        value = value.values()
    elif kind is not list and kind is not tuple:
        return False
    return SCALARS.issuperset(map(type, value)) or all(map(is_json, value))


def unholdable(value: Any, depth: int = 0) -> str | None:
    """Why msgspec cannot represent a value; None if it can."""
    if depth > MAX_DEPTH:
        return f"nested deeper than {MAX_DEPTH}"
    match value:
        case None | bool() | RawJson():
            return None
        case str():
            return None if _is_unicode(value) else "contains a lone surrogate"
        case int():
            return None if INT_MIN <= value <= INT_MAX else "is an integer beyond 64 bits"
        case float():
            return None if math.isfinite(value) else f"is {value}, which JSON cannot represent"
        case list() | tuple():
            return next((why for item in value if (why := unholdable(item, depth + 1))), None)
        case dict():
            for key, item in value.items():
                if not isinstance(key, str):
                    return f"has the key {key!r}, which is not a string"
                if not _is_unicode(key):
                    return "contains a lone surrogate in a key"
                if why := unholdable(item, depth + 1):
                    return why
            return None
    return f"is of type {type(value).__name__}, which is not a JSON value"


def is_text(value: Any) -> bool:
    """Whether a value is a text that can be stored and indexed."""
    return isinstance(value, str) and _is_unicode(value)


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_value(conversation: str, field: str, value: Any) -> None:
    """Raise InvalidEvent, naming the field, for a value that the log cannot represent."""
    if why := unholdable(value):
        raise InvalidEvent(conversation, field, why)
