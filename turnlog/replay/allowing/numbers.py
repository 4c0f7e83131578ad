"""Numbers in values and in texts, held against each other with a tolerance."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, TypeGuard

import msgspec

from turnlog.errors import FormatError


class Tolerance(msgspec.Struct, frozen=True):
    """How far a number may be from the recorded one; relative: in shares of that."""

    amount: Decimal
    relative: bool = False

    def holds(self, expected: Decimal, actual: Decimal) -> bool:
        allowed = self.amount * abs(expected) if self.relative else self.amount
        return abs(expected - actual) <= allowed


def tolerance(given: float | str) -> Tolerance:
    """A tolerance as people write it: `0.5`, or `"1%"` of what was recorded. Raises FormatError."""
    text = str(given).strip()
    share = text.endswith("%")
    try:
        amount = Decimal(text.removesuffix("%"))
    except ArithmeticError:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise FormatError(f"{given!r} is neither a number from 0 on nor a share such as '1%'")
    return Tolerance(amount / 100 if share else amount, share)


def is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def near(expected: float, actual: float, within: Tolerance) -> bool:
    """Of two values; as they are written, so that 0.3 is within 0.01 of 0.29."""
    return within.holds(Decimal(str(expected)), Decimal(str(actual)))


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def near_texts(expected: str, actual: str, within: Tolerance) -> bool:
    """Of two texts that are equal but for their numbers.

    `1,234` is 1234 to some and 1.234 to others: both readings must be within the tolerance.
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
    """grouped: how thousands are divided. None for `1.5.2`, which is not a number."""
    if grouped.fullmatch(text):
        text = text.translate({ord("," if grouped is _COMMAS else "."): None})
    elif not _PLAIN.fullmatch(text):
        return None
    return Decimal(text.replace(",", "."))
