"""Numbers that callers pass: each is checked before it is used.

An impossible one raises OutOfRange, which names the argument and its value.
"""

from __future__ import annotations

from typing import Any

from turnlog.domain.amounts import digits
from turnlog.domain.errors import OutOfRange

LARGEST = 2**62
"""The largest number of a turn, event, version, life or position."""


def check_whole(id: str | None, name: str, number: Any) -> None:
    """Raise OutOfRange unless it is a whole number with a possible number of digits."""
    if not isinstance(number, int) or isinstance(number, bool):
        raise OutOfRange(id, f"{name}: {number!r:.80} is not a whole number")
    if number.bit_length() > 200:
        raise OutOfRange(id, f"{name}: a number {digits(number)} is too large")


def check_number(id: str | None, name: str, number: Any) -> None:
    """Raise OutOfRange for a number that no turn, event, … can have."""
    check_whole(id, name, number)
    if abs(number) > LARGEST:
        raise OutOfRange(id, f"{name} {digits(number)} does not exist")


def check_numbers(id: str, **numbers: Any) -> None:
    """The same for several; None is not checked."""
    for name, number in numbers.items():
        if number is not None:
            check_number(id, name, number)


def check_count(id: str | None, name: str, count: Any) -> None:
    """Raise OutOfRange unless it is a count; None means all."""
    if count is not None:
        check_whole(id, name, count)
        if count < 0:
            raise OutOfRange(id, f"{name}: {digits(count)} is less than 0")


def check_seconds(id: str, name: str, seconds: Any) -> None:
    """Raise OutOfRange unless it is a time; None is allowed."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and (not is_number or seconds != seconds):
        raise OutOfRange(id, f"{name}: {seconds!r:.80} is not a number of seconds")
