"""The values in a text that are separate words."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_BEFORE, _AFTER = r"(?<!\w)(?<!\d[-/:.,])", r"(?!\w)(?![-/:.,]\d)"
"""Not inside a word, a number, a date or a time."""

_NUMBER = re.compile(rf"{_BEFORE}-?(?:\d{{1,3}}(?:,\d{{3}})+|\d+)(?:\.\d+)?{_AFTER}")


class Mentions:
    """`value in mentions`: whether the text says it.

    A string as it is, a number in any form (1500 in `1,500.00`). True, False, None and strings
    without a letter or digit are never said.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        numbers = [found.replace(",", "") for found in _NUMBER.findall(text)]
        self._whole, self._floats = {*map(Decimal, numbers)}, {*map(float, numbers)}

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, str):
            return self._has_words(value.strip())
        if isinstance(value, float):
            return value in self._floats
        return type(value) is int and Decimal(value) in self._whole

    def _has_words(self, words: str) -> bool:
        if words not in self._text or not any(map(str.isalnum, words)):
            return False
        return bool(re.search(_BEFORE + re.escape(words) + _AFTER, self._text))
