"""Numbers in values and in texts, compared with a tolerance."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypeGuard

import msgspec

from turnlog.errors import FormatError


class Tolerance(msgspec.Struct, frozen=True):
    """How far a number may be from the recorded one; relative: as a share of it."""

    amount: Decimal
    relative: bool = False

    def holds(self, expected: Decimal, actual: Decimal) -> bool:
        """Whether a number is within the tolerance of the recorded one."""
        allowed = self.amount * abs(expected) if self.relative else self.amount
        return abs(expected - actual) <= allowed


def tolerance(given: float | str) -> Tolerance:
    """A tolerance as written in a file: `0.5`, or `"1%"` of the recorded number. Raises
    FormatError.
    """
    text = str(given).strip()
    share = text.endswith("%")
    try:
        amount = Decimal(text.removesuffix("%"))
    except ArithmeticError:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise FormatError(f"{given!r} is neither a number of at least 0 nor a share such as '1%'")
    return Tolerance(amount / 100 if share else amount, share)


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def near(expected: float, actual: float, within: Tolerance) -> bool:
    """Compares two numbers as they are written, so that 0.3 is within 0.01 of 0.29."""
    return within.holds(Decimal(str(expected)), Decimal(str(actual)))


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def near_texts(expected: str, actual: str, within: Tolerance) -> bool:
    """Compares two texts that are equal except for their numbers.

    `1,234` can be 1234 or 1.234: both readings must be within the tolerance.
    """
    if _NUMBER.sub("0", expected) != _NUMBER.sub("0", actual):
        return False
    pairs = zip(_NUMBER.findall(expected), _NUMBER.findall(actual), strict=True)
    return all(one == other or _near(one, other, within) for one, other in pairs)


def _near(expected: str, actual: str, within: Tolerance) -> bool:
    read = [(_read(expected, grouped), _read(actual, grouped)) for grouped in (_COMMAS, _POINTS)]
    possible = [pair for pair in read if pair != (None, None)]
    return bool(possible) and all(
        one is not None and other is not None and within.holds(one, other)
        for one, other in possible
    )


_COMMAS = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_POINTS = re.compile(r"[1-9]\d{0,2}(\.\d{3})+(,\d+)?")
_PLAIN = re.compile(r"\d+([.,]\d+)?")


def _read(text: str, grouped: re.Pattern[str]) -> Decimal | None:
    """grouped: the separator of thousands. None for `1.5.2`, which is not a number."""
    if grouped.fullmatch(text):
        text = text.translate({ord("," if grouped is _COMMAS else "."): None})
    elif not _PLAIN.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))
