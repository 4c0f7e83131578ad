"""jsonpickle's output, read as plain JSON: nothing is decoded, imported or executed.

Objects of the classes that a pattern allows become dicts that keep their `py/object`. References
(`py/id`) become copies of their targets, tuples lists, datetimes ISO 8601. Every other tag is
refused.

jsonpickle numbers the targets of references from 0 in the order of writing: objects and lists up to
version 1, dicts as well from 2.0.0 on. Some files have had their keys sorted since. No file says
which numbering it uses, so the reader takes the one under which most references name something that
is possible in their place. A message's `parse_data` shares its intent and entities with the message
itself, whatever the number says: Rasa makes it so, and some files were edited by hand.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from turnlog.errors import FormatError

OBJECT, ID, TUPLE = "py/object", "py/id", "py/tuple"
_SHARED = ("intent", "entities")
_LISTS = ("entities", "events")
_DATETIME = "datetime.datetime"


class Pickled:
    """A document and the targets of its references.

    allowed: the classes an object may have. misled: references whose number names another value
    than the one they must have, by their place.
    """

    def __init__(self, document: Any, allowed: re.Pattern[str]) -> None:
        self._allowed = allowed
        self.misled: list[tuple[str, int]] = []
        self._targets: dict[int, Any] = {}
        self._document = document
        self._left = 0

    def restored(self) -> Any:
        """The document without references, tuples and datetimes."""
        size = sum(1 for _ in _nodes(self._document))
        self._left = 10 * size + 10_000
        references = [item for item in _nodes(self._document) if _is_reference(item[1])]
        if references:
            self._resolve(references)
        return self._restore(self._document, "")

    def _resolve(self, references: list[tuple[str, Any, tuple[Any, ...]]]) -> None:
        best: list[tuple[Any, bool]] = []
        for numbering in _numberings(self._document):
            targets = [_target(numbering, *reference) for reference in references]
            if not best or sum(fits for _, fits in targets) > sum(fits for _, fits in best):
                best = targets
        for (place, reference, _), (target, fits) in zip(references, best, strict=True):
            if target is None:
                why = f"py/id {reference[ID]!r:.40} names nothing that is possible here"
                raise FormatError(why, field=place)
            if not fits:
                self.misled.append((place, reference[ID]))
            self._targets[id(reference)] = target

    def _restore(self, value: Any, place: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise FormatError(
                "with its references resolved it is more than ten times as long", field=place
            )
        if isinstance(value, list):
            return [self._restore(item, f"{place}[{n}]") for n, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if _is_reference(value):
            return self._restore(self._targets[id(value)], place)
        if value.keys() == {TUPLE} and isinstance(value[TUPLE], list):
            return self._restore(value[TUPLE], place)
        if value.get(OBJECT) == _DATETIME:
            return _datetime(value, place)
        self._check_tags(value, place)
        return {key: self._restore(item, _join(place, key)) for key, item in value.items()}

    def _check_tags(self, value: dict[str, Any], place: str) -> None:
        for key in value:
            if key.startswith("py/") and key != OBJECT:
                raise FormatError(f"unsupported tag {key!r:.60}", field=place or None)
        name = value.get(OBJECT, "")
        if OBJECT in value and not (isinstance(name, str) and self._allowed.fullmatch(name)):
            raise FormatError(f"unsupported class {name!r:.80}", field=place or None)


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {ID}


def _nodes(
    value: Any, place: str = "", above: tuple[Any, ...] = ()
) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Every value with its place and the values around it, in order."""
    yield place, value, above
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _nodes(item, f"{place}[{number}]", (*above, value))
    elif isinstance(value, dict) and not _is_reference(value):
        for key, item in value.items():
            yield from _nodes(item, _join(place, key), (*above, value))


class _Numbering:
    """The targets of references, in order; for each reference the number of targets before it."""

    def __init__(self, document: Any, *, dicts: bool, keys_sorted: bool) -> None:
        self.values: list[Any] = []
        self.before: dict[int, int] = {}
        self._dicts = dicts
        self._sorted = keys_sorted
        self._number(document)

    def _number(self, value: Any) -> None:
        if isinstance(value, list):
            self.values.append(value)
            for item in value:
                self._number(item)
        elif isinstance(value, dict):
            self._number_dict(value)

    def _number_dict(self, value: dict[str, Any]) -> None:
        if _is_reference(value):
            self.before[id(value)] = len(self.values)
        elif value.keys() == {TUPLE} and isinstance(value[TUPLE], list):
            for item in value[TUPLE]:
                self._number(item)
        elif value.get(OBJECT) == _DATETIME:
            self.values.append(value)
        else:
            if OBJECT in value or self._dicts:
                self.values.append(value)
            for key in sorted(value) if self._sorted else value:
                self._number(value[key])


def _numberings(document: Any) -> Iterator[_Numbering]:
    for keys_sorted in (False, True):
        for dicts in (True, False):
            yield _Numbering(document, dicts=dicts, keys_sorted=keys_sorted)


def _target(
    numbering: _Numbering, place: str, reference: dict[str, Any], above: tuple[Any, ...]
) -> tuple[Any, bool]:
    """The target of a reference, and whether its number agrees."""
    number = reference[ID]
    named = None
    if type(number) is int and 0 <= number < numbering.before[id(reference)]:
        named = numbering.values[number]
    own = _own(place, above)
    if own is not None:
        return own, named is own
    within = any(named is value for value in above)
    return (None, False) if within or not _fits(place, named) else (named, True)


def _own(place: str, above: tuple[Any, ...]) -> Any:
    """The message's own value for a reference in its parse_data, and the reverse."""
    match = re.search(r"(?:^|\.)(parse_data\.)?(intent|entities)$", place)
    if match is None:
        return None
    outer = -2 if match[1] and len(above) > 1 else -1
    message = above[outer]
    other = message if match[1] else message.get("parse_data")
    held = other.get(match[2]) if isinstance(other, dict) else None
    return held if isinstance(held, list | dict) and not _is_reference(held) else None


def _fits(place: str, value: Any) -> bool:
    """Whether a value is possible at a place."""
    key = re.sub(r"\[\d+\]$", "[]", place.rpartition(".")[2])
    if key == "events[]":
        return isinstance(value, dict) and OBJECT in value
    if key in _LISTS:
        return isinstance(value, list)
    return value is not None and not (isinstance(value, dict) and OBJECT in value)


# --- datetimes ----------------------------------------------------------------------------------


def _datetime(value: dict[str, Any], place: str) -> str:
    """ISO 8601 of `{"__reduce__": [{"py/type": "datetime.datetime"}, [state, zone]]}`."""
    match value.get("__reduce__"):
        case [{"py/type": "datetime.datetime"}, [str(state)]]:
            zone = None
        case [{"py/type": "datetime.datetime"}, [str(state), dict(reduced)]]:
            zone = _zone(reduced, place)
        case _:
            raise FormatError("not a readable datetime", field=place)
    try:
        high, low, *parts, micro_1, micro_2, micro_3 = base64.b64decode(state, validate=True)
        month, day, hour, minute, second = parts
        micro = int.from_bytes(bytes((micro_1, micro_2, micro_3)), "big")
        time = datetime(high * 256 + low, month, day, hour, minute, second, micro, zone)
    except ValueError as error:
        raise FormatError(f"{state!r:.40} is not a datetime", field=place) from error
    return time.isoformat()


def _zone(value: dict[str, Any], place: str) -> timezone:
    match value.get("py/reduce"):
        case [{"py/type": "datetime.timezone"}, {"py/tuple": [{"py/reduce": reduced}]}]:
            pass
        case _:
            reduced = None
    match reduced:
        case [{"py/type": "datetime.timedelta"}, {"py/tuple": [int(d), int(s), int(m)]}]:
            try:
                return timezone(timedelta(d, s, m))
            except (ValueError, OverflowError) as error:
                raise FormatError("not a time zone", field=place) from error
    raise FormatError("a datetime's time zone must be a fixed offset", field=place)
