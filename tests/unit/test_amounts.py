"""Numbers of things in sentences."""

from __future__ import annotations

import pytest

from turnlog.domain.amounts import amount


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0 turns"), (1, "1 turn"), (2, "2 turns"), (1_000_001, "1,000,001 turns")],
)
def test_one_is_singular_and_everything_else_plural(number: int, said: str) -> None:
    assert amount(number, "turn") == said
