"""Divergences as text, for reports and tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from turnlog.replay.divergence import Divergence
from turnlog.replay.grouping.failing import traceback, without_traceback
from turnlog.reports.text import visible
from turnlog.serializers.shared.plain import dumps

TURNS = 20
"""How many turns are listed; the others are counted."""


def as_text(divergences: Sequence[Divergence]) -> str:
    """Message, expected and actual answer of each differing turn; of many, the first ones."""
    lines = [line for one in divergences[:TURNS] for line in _lines(one)]
    if len(divergences) > TURNS:
        lines.append(f"and {len(divergences) - TURNS:,} more")
    return "\n".join(lines)


def _lines(one: Divergence) -> Iterator[str]:
    yield visible(f"{one.conversation}, turn {one.turn}: {one.group}")
    if one.message is not None:
        yield visible(f"  user:     {one.message}")
    yield f"  expected: {shown(one.expected)}"
    yield f"  actual:   {shown(one.actual)}"
    for line in (traceback(one.actual) or "").splitlines():
        yield visible(f"    {line}")


def shown(value: Any) -> str:
    """An event, or several, as JSON on one line, without a traceback."""
    return visible(dumps(without_traceback(value)).decode())
