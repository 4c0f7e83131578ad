"""Large events, texts that break stores, clocks that jump (18, 22, 23)."""

from __future__ import annotations

import time
from typing import Any

import pytest

import turnlog
from tests.stored import rows_of
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.encoding.binary import MAX_EVENT_BYTES
from turnlog.errors import InvalidEvent

HOLDABLE: list[Any] = [
    "nul\0inside", "\0", "😀 👩‍👩‍👧", "\u202eright to left\u202c \u05e9\u05dc\u05d5\u05dd",
    "e\u0301 is not é", "\ufeffmark", "\u2028line", "", " ", "%s %(x)s {} $1 \\x00 '; DROP TABLE--",
    "x" * 100_000, 0, -0.0, 1e-320, 2**63, -(2**63), 1.5e308, True, None,
    {"": {"\0": [1, [2, {"😀": None}]]}}, [[[[[[]]]]]],
]  # fmt: skip
UNHOLDABLE: list[Any] = [
    "lone \ud800 surrogate", {"\udfff": 1}, float("nan"), float("inf"), [1, [float("-inf")]],
    2**64, -(2**63) - 1, 10**5000, {1: "no text"}, object(), b"bytes", {"a"},
]  # fmt: skip


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("megabytes", [1, 4, 10])
def test_a_large_event_is_stored_or_refused_immediately(any_url: str, megabytes: int) -> None:
    with turnlog.open(any_url) as log:
        text = "x" * (megabytes * 1_000_000 - 100)
        begun = time.monotonic()
        if megabytes * 1_000_000 <= MAX_EVENT_BYTES:
            log.record("alice", UserUttered(text))
            assert log.conversation("alice").state.context.latest_message.text == text  # type: ignore[union-attr]
        else:
            with pytest.raises(InvalidEvent, match="the limit for an event is 1,000,000"):
                log.record("alice", UserUttered(text))
            assert "alice" not in log
        assert time.monotonic() - begun < 2


def test_values_that_can_be_stored_round_trip(any_url: str) -> None:
    with turnlog.open(any_url) as log:
        for number, value in enumerate(HOLDABLE):
            text = value if isinstance(value, str) else str(number)
            id = f"{number} {text}"[:200]
            log.record(id, UserUttered(text), SlotSet("value", value), key=text[:200] or "k")
            said, slot = log.conversation(id).events()
            assert (said.text, slot.value) == (text, value)  # type: ignore[attr-defined]
            assert type(slot.value) is type(value)  # type: ignore[attr-defined]
            assert id in log


def test_values_that_cannot_be_stored_are_refused_and_nothing_is_stored(any_url: str) -> None:
    with turnlog.open(any_url) as log:
        for value in [*UNHOLDABLE, nested(1000), nested(100_000)]:
            with pytest.raises(InvalidEvent):
                log.record("alice", UserUttered("hello"), SlotSet("value", value))
        for id in ("\ud800", "", "x" * 1001):
            with pytest.raises(InvalidEvent):
                log.record(id, UserUttered("hello"))
        with pytest.raises(InvalidEvent):
            log.record("alice", UserUttered("hello"), key="\ud800")
        assert log.store.reader.last_position() == 0


def test_a_clock_that_jumps_changes_no_order(any_url: str) -> None:
    hour, year = 3600.0, 365 * 86400.0
    times = [1e9, 1e9 - hour, 1e9 + year, 1e9, -1.0, 0.0, 1e9]
    clock = iter(times)
    with turnlog.open(any_url, clock=lambda: next(clock)) as log:
        for number in range(len(times)):
            log.record("alice", UserUttered(str(number)), BotUttered("yes"))
        rows = rows_of(log.store.reader, "alice")
        assert [row.version for row in rows] == list(range(1, len(times) + 1))
        assert [row.commit().recorded for row in rows] == times
        texts = [e.text for e in log.conversation("alice").events() if isinstance(e, UserUttered)]
        assert texts == [str(number) for number in range(len(times))]
        assert log.conversation("alice", turn=3).state.turn == 3
