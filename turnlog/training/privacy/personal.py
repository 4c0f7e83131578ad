"""Personal data with a known form: mail addresses, phones, cards and accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from turnlog.extras import needed

REGIONS = ("US", "GB", "DE", "AT", "FR", "ES", "IT", "NL", "PL", "BR", "CN", "JP")
"""The default regions of phone numbers without a country code."""

_FEWEST = 7
"""Digits of a phone number."""

UNSPACED = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""Letters of scripts that put no spaces between words."""

LETTER = rf"[^\W{UNSPACED}]"
"""A letter or a digit that continues a word."""

_ALONE, _DONE = rf"(?<!{LETTER})(?<!\+)", rf"(?!{LETTER})"

_MAIL = re.compile(rf"(?:{LETTER}|[.+-])+@{LETTER}(?:{LETTER}|-)*(?:\.{LETTER}(?:{LETTER}|-)*)+")
_CARD = re.compile(rf"{_ALONE}\d(?:[ -]?\d){{12,18}}{_DONE}")
_ACCOUNT = re.compile(
    rf"{_ALONE}[A-Z]{{2}}\d{{2}}(?: ?[0-9A-Z]{{4}}){{2,7}}(?: ?[0-9A-Z]{{1,3}})?{_DONE}"
)
_PHONE = re.compile(
    rf"{_ALONE}(?:\+\d{{1,3}}[ ./-]?(?:\(\d{{1,4}}\)[ ./-]?)?|\(\d{{2,5}}\) ?)"
    rf"\d+(?:[ ./-]?\d{{2,}}){{1,5}}{_DONE}"
)
"""With a country code, or an area code in parentheses; the library decides about others."""


_MANY_DIGITS = re.compile(rf"{_ALONE}\(?\d(?:[ ./()-]{{0,2}}\d){{6,14}}{_DONE}")


class PersonalValue(NamedTuple):
    """Characters of a text, end exclusive. kind: mail, card, account, phone or value."""

    start: int
    end: int
    kind: str


def found_in(text: str) -> Iterator[PersonalValue]:
    """All findings, unordered; some may overlap."""
    if "@" in text:
        yield from (PersonalValue(*match.span(), "mail") for match in _MAIL.finditer(text))
    if _digits(text) < _FEWEST:
        return
    yield from (
        PersonalValue(*m.span(), "account") for m in _ACCOUNT.finditer(text) if _adds_up(m[0])
    )
    cards = [m.span() for m in _CARD.finditer(text) if _is_luhn(m[0])]
    yield from (PersonalValue(*span, "card") for span in cards)
    yield from (PersonalValue(*span, "phone") for span in _phones(text) if span not in cards)


@lru_cache(10_000)
def kind_of(text: str) -> str:
    """The kind of a whole text; `value` if its form says nothing."""
    size = len(text)
    return next((kind for start, end, kind in found_in(text) if end - start == size), "value")


def _phones(text: str) -> Iterator[tuple[int, int]]:
    with_code = [match for match in _PHONE.finditer(text) if _digits(match[0]) >= _FEWEST]
    yield from (match.span() for match in with_code)
    for many in _MANY_DIGITS.finditer(text):
        if not any(match.start() <= many.start() < match.end() for match in with_code):
            yield from ((many.start() + s, many.start() + e) for s, e in _national(many[0]))


@lru_cache(10_000)
def _national(text: str) -> tuple[tuple[int, int], ...]:
    """The places of phone numbers that are valid in one of the regions."""
    with needed("redact", "--redact"):
        from phonenumbers import Leniency, PhoneNumberMatcher

    matchers = (PhoneNumberMatcher(text, region, Leniency.VALID) for region in REGIONS)
    return tuple({(phone.start, phone.end) for found in matchers for phone in found})


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _is_luhn(card: str) -> bool:
    digits = [int(digit) for digit in card if digit.isdigit()][::-1]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _adds_up(account: str) -> bool:
    """Whether it has the check digits of an IBAN."""
    letters = account.replace(" ", "")
    return int("".join(str(int(c, 36)) for c in letters[4:] + letters[:4])) % 97 == 1
