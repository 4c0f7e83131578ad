"""A quick check whether two answers are equal: most are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from operator import attrgetter
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.message_groups import Numbered
from turnlog.encoding import binary

INCIDENTAL = frozenset(e.Event.__struct_fields__) | {
    "call_id", "confidence", "policy", "hide_rule_turn", "to", "message", "raw", "signature",
}  # fmt: skip
"""Fields that are not compared."""

_INCIDENTAL_EVENTS = frozenset((e.AnswerEnded, e.AnswerMeasured))


_STREAMS = {e.MessageUnderstood: 0, e.EntitiesAdded: 0, e.ToolCalled: 1}


def says_the_same(recorded: Iterable[Numbered], answer: Iterable[Numbered]) -> bool:
    """Whether the compared events are all equal. False may also mean unknown.

    Compares bytes, because Python considers 2 and 2.0 equal.
    """
    try:
        return _said(recorded) == _said(answer)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False


def _said(answer: Iterable[Numbered]) -> bytes:
    """What was understood, called and done, separately: their relative order does not count."""
    streams: tuple[list[Any], ...] = [], [], []
    for _, event in answer:
        kind = type(event)
        if kind not in _INCIDENTAL_EVENTS:
            streams[_STREAMS.get(kind, 2)].append((kind.__name__, _content(kind)(event)))
    return binary.encode_ordered(streams)


@cache
def _content(kind: type[e.Event]) -> Callable[[e.Event], Any]:
    names = [name for name in kind.__struct_fields__ if name not in INCIDENTAL]
    return attrgetter(*names) if names else lambda _: None
