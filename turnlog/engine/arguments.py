"""What is asked of a log, checked before anything is looked up with it."""

from __future__ import annotations

from typing import Any

from turnlog.domain.streams import check_id, is_conversation
from turnlog.domain.values import is_text
from turnlog.errors import InvalidEvent, OutOfRange

LARGEST = 2**62
"""No turn, event, version or life has a larger number."""


def is_id(id: Any) -> bool:
    """Whether a conversation can be called so."""
    return is_text(id) and is_conversation(id)


def check_numbers(id: str, **numbers: Any) -> None:
    """Raise OutOfRange for a turn, an event, … that no conversation can have."""
    for name, number in numbers.items():
        if number is None:
            continue
        check_whole(id, name, number)
        if abs(number) > LARGEST:
            raise OutOfRange(id, f"there is no {name} {_shown(number)}")


def check_whole(id: str, name: str, number: Any) -> None:
    """Raise OutOfRange for what is no whole number; None is."""
    if number is not None and (not isinstance(number, int) or isinstance(number, bool)):
        raise OutOfRange(id, f"{name}: {number!r:.80} is not a whole number")


def check_seconds(id: str, name: str, seconds: Any) -> None:
    """Raise OutOfRange for what is no time; None is."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and (not is_number or seconds != seconds):
        raise OutOfRange(id, f"{name}: {seconds!r:.80} is not a number of seconds")


def check_wait(id: Any, after: Any, timeout: Any) -> None:
    """Raise InvalidEvent or OutOfRange for what would be waited for in vain."""
    check_id(id)
    check_numbers(id, event=after)
    check_seconds(id, "timeout", timeout)


def check_command(id: str, asked: Any) -> None:
    """Raise InvalidEvent for what asks for no events."""
    if not callable(asked) and not isinstance(asked, list | tuple):
        raise InvalidEvent(id, "events", f"{asked!r:.80} is neither a list of events nor a command")


def _shown(number: int) -> str:
    """Python does not turn very long integers into text."""
    bits = number.bit_length()
    return str(number) if bits < 200 else f"of {bits:,} bits"
