"""Numbers that a conversation is asked with: each is checked before anything is looked up with it.

What cannot be is an OutOfRange that names the argument and shows it.
"""

from __future__ import annotations

from typing import Any

from turnlog.domain.amounts import digits
from turnlog.domain.errors import OutOfRange

LARGEST = 2**62
"""No turn, event, version, life or position has a larger number."""


def check_whole(id: str | None, name: str, number: Any) -> None:
    """Raise OutOfRange for what is no whole number, or has more digits than any of them."""
    if not isinstance(number, int) or isinstance(number, bool):
        raise OutOfRange(id, f"{name}: {number!r:.80} is not a whole number")
    if number.bit_length() > 200:
        raise OutOfRange(id, f"{name}: a number {digits(number)} is too large")


def check_number(id: str | None, name: str, number: Any) -> None:
    """Raise OutOfRange for the number of a turn, an event, … that no conversation can have."""
    check_whole(id, name, number)
    if abs(number) > LARGEST:
        raise OutOfRange(id, f"there is no {name} {digits(number)}")


def check_numbers(id: str, **numbers: Any) -> None:
    """The same of several, of which None asks for nothing."""
    for name, number in numbers.items():
        if number is not None:
            check_number(id, name, number)


def check_count(id: str | None, name: str, count: Any) -> None:
    """Raise OutOfRange for what is not how many of something; None is for all."""
    if count is not None:
        check_whole(id, name, count)
        if count < 0:
            raise OutOfRange(id, f"{name}: {digits(count)} is less than 0")


def check_seconds(id: str, name: str, seconds: Any) -> None:
    """Raise OutOfRange for what is no time; None is."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and (not is_number or seconds != seconds):
        raise OutOfRange(id, f"{name}: {seconds!r:.80} is not a number of seconds")
