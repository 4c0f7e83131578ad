"""Copies of objects, made faster than by reading the objects again."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from itertools import repeat
from typing import Any

_PLAIN = frozenset((str, int, float, bytes, bool, type(None), datetime))
"""Types of immutable values."""

_new: Any = object.__new__
_set = object.__setattr__  # works on frozen objects, too


class Originals:
    """Dataclass objects that no caller has, and their field values.

    All copies of one kind are made in one call, because a history is read whole at every turn. An
    object is known by its place; each kind of field names the place of its owner.
    """

    def __init__(self) -> None:
        self._roots: list[int] = []
        self._kinds: list[type[Any]] = []
        self._fields: list[dict[str, Any]] = []
        self._objects: list[tuple[int, str, int]] = []
        self._lists: list[tuple[int, str, int, int]] = []
        self._empty: list[tuple[int, str]] = []
        self._others: list[tuple[int, str, Any]] = []

    def add(self, held: Any) -> None:
        """Adds an object to copy."""
        self._roots.append(self._place(held))
        self._look_into(self._roots[-1])

    def copies(self) -> list[Any]:
        """Copies of the added objects, in order."""
        with _uncollected():
            return self._copies()

    def _copies(self) -> list[Any]:
        made = [*map(_new, self._kinds)]
        fields = [*map(dict.copy, self._fields)]
        deque(map(_set, made, repeat("__dict__"), fields), maxlen=0)
        for holder, name, place in self._objects:
            fields[holder][name] = made[place]
        for holder, name, first, end in self._lists:
            fields[holder][name] = made[first:end]
        for holder, name in self._empty:
            fields[holder][name] = {}
        for holder, name, held in self._others:
            fields[holder][name] = _copied(held)
        return [made[place] for place in self._roots]

    def _place(self, held: Any) -> int:
        self._kinds.append(type(held))
        self._fields.append(_shared(held))
        return len(self._kinds) - 1

    def _look_into(self, holder: int) -> None:
        for name, field in self._fields[holder].items():
            kind = type(field)
            if kind in _PLAIN:
                continue
            if kind is dict and not field:
                self._empty.append((holder, name))
            elif _is_record(field):
                self._objects.append((holder, name, self._placed([field])))
            elif kind is list and all(map(_is_record, field)):
                first = self._placed(field)
                self._lists.append((holder, name, first, first + len(field)))
            else:
                self._others.append((holder, name, field))

    def _placed(self, many: list[Any]) -> int:
        """The place of the first object; the others follow it."""
        first = len(self._kinds)
        for place in [self._place(each) for each in many]:
            self._look_into(place)
        return first


def _shared(held: Any) -> dict[str, Any]:
    """The object's fields in a key-sharing dict of its type, which copies faster."""
    alike = _new(type(held))
    for name, field in held.__dict__.items():
        _set(alike, name, field)
    fields: dict[str, Any] = alike.__dict__
    return fields


@contextmanager
def _uncollected() -> Iterator[None]:
    """Pauses the garbage collector, which would search thousands of new objects in use."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _is_record(value: Any) -> bool:
    kind: Any = type(value)
    return _has_only_fields(kind)


@cache
def _has_only_fields(kind: Any) -> bool:
    bases: tuple[type, ...] = kind.__mro__
    return is_dataclass(kind) and not any(vars(each).get("__slots__") for each in bases)


def _copied(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {key: _copied(item) for key, item in value.items()}
    if kind is list:
        return [_copied(item) for item in value]
    return deepcopy(value)
