"""Codes found in a text equal those of a plain pattern, which takes quadratic time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import turnlog
from turnlog import BotUttered, MessageRedacted, UserUttered
from turnlog.domain.codes import codes

SEPARATORS = r"\s,;:!?()\[\]{}\"'<>=#|*`"
PLAIN = re.compile(rf"[^{SEPARATORS}]*\d[^{SEPARATORS}]*|\S+@\S+\.\w+")


@settings(max_examples=2_000)
@given(st.text("a1@., -é٣_/:", max_size=14))
def test_codes_found_equal_those_of_a_plain_pattern(text: str) -> None:
    assert [*codes(text)] == PLAIN.findall(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", ["x", "@", "a.", "a@.", "@a@.", ",", "x,", "12,"])
def test_a_long_code_is_scanned_once(text: str) -> None:
    long = text * (600_000 // len(text))
    assert sum(map(len, codes(long))) <= len(long)


@pytest.mark.timeout(60)
def test_a_long_message_is_redacted_in_time() -> None:
    """Quadratic time would be an hour."""
    with turnlog.open("memory:") as log:
        scan = {"scan": "x" * 400_000}
        log.record("a", UserUttered("x" * 400_000, data=scan), BotUttered("seen", {"image": "y"}))
        log.record("a", MessageRedacted(1))
        assert log.read_events("a")[0] == UserUttered(timestamp=log.read_events("a")[0].timestamp)
