"""JSON as JavaScript reads and writes it: `JSON.parse`, and `JSON.stringify` byte for byte.

Every number is a double. An object's integer-like keys come first, ascending, at every level.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from turnlog.domain.values import RawJson

LAST_INDEX = 2**32 - 2
MAX_SAFE_INTEGER = 2**53 - 1
"""Integers up to it are exact in a double."""

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse(text: str) -> Any:
    """The value. Of a duplicate key the last value counts, at the place of the first.

    Raises json.JSONDecodeError, or RecursionError for extreme nesting.
    """
    return _decoder.decode(text)


def _number(text: str) -> int | float | None:
    value = float(text)
    if not math.isfinite(value):
        return None  # JavaScript reads Infinity, and writes null
    return int(value) if value.is_integer() and abs(value) <= MAX_SAFE_INTEGER else value


def _constant(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is not JSON", name, 0)


_decoder = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_constant)


def stringify(value: Any, indent: str | None = None, outer: str = "") -> str:
    """`JSON.stringify(value, null, indent)`. RawJson is written as the value it contains."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _string(value)
        case int() | float():
            return _digits(value)
        case RawJson():
            return stringify(parse(value.json.decode()), indent, outer)
        case dict():
            inner = outer if indent is None else outer + indent
            colon = ":" if indent is None else ": "
            items = [
                _string(key) + colon + stringify(item, indent, inner)
                for key, item in ordered(value).items()
            ]
            return _bracketed("{}", items, indent, outer)
        case list() | tuple():
            inner = outer if indent is None else outer + indent
            items = [stringify(item, indent, inner) for item in value]
            return _bracketed("[]", items, indent, outer)
    raise TypeError(f"a value of type {type(value).__name__} is not a JSON value")


def _bracketed(brackets: str, items: list[str], indent: str | None, outer: str) -> str:
    if indent is None or not items:
        return brackets[0] + ",".join(items) + brackets[1]
    line = "\n" + outer
    between = f",{line}{indent}"
    return f"{brackets[0]}{line}{indent}{between.join(items)}{line}{brackets[1]}"


def ordered(value: dict[str, Any]) -> dict[str, Any]:
    """The object with its keys in JavaScript's order."""
    indices = sorted((key for key in value if is_index(key)), key=int)
    if not indices:
        return value
    return {key: value[key] for key in indices} | value


def is_index(key: str) -> bool:
    """Whether JavaScript treats the key as an array index, which it lists first."""
    return _INDEX.fullmatch(key) is not None and int(key) <= LAST_INDEX


def _string(text: str) -> str:
    written = json.dumps(text, ensure_ascii=False)
    if written.isascii():
        return written
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", written)


def _digits(value: int | float) -> str:
    """Number.prototype.toString (ECMA-262, 6.1.6.1.20)."""
    if isinstance(value, int) and abs(value) <= MAX_SAFE_INTEGER:
        return str(value)
    number = float(value)
    if number == 0 or not math.isfinite(number):
        return "0" if number == 0 else "null"
    sign = "-" if number < 0 else ""
    mantissa, _, exponent = f"{abs(number)!r}e0".partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent.partition("e")[0])
    digits = whole + fraction
    point -= len(digits) - len(digits.lstrip("0"))
    return sign + _placed(digits.strip("0"), point)


def _placed(digits: str, point: int) -> str:
    """Digits with the decimal point after the first `point` of them, as JavaScript writes it."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if count > 1 else ""
    return f"{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
