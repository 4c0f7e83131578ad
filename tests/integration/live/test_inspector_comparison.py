"""Two moments side by side: of a conversation, of two, of a fork and its origin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import turnlog
from turnlog import BotUttered, MessageRedacted, SlotSet, Turnlog, UserUttered
from turnlog.domain.plain import dumps
from turnlog.server.comparison import EVENTS, comparison


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as opened:
        for text in ("hi", "two"):
            opened.record("origin", UserUttered(text), SlotSet("n", text), BotUttered("ok"))
        opened.fork("origin", as_="fork", event=4)
        opened.record("fork", SlotSet("n", "three"), BotUttered("ok"))
        yield opened


def texts(rows: list[list[Any]]) -> list[list[str | None]]:
    def text(shown: Any) -> str | None:
        if shown is None:
            return None
        return str(shown["fields"].get("text", shown["fields"].get("value", shown["type"])))

    return [[text(one), text(other)] for one, other in rows]


def test_a_fork_differs_from_its_origin_where_it_continues(log: Turnlog) -> None:
    found = comparison(log.conversation("fork"), log.conversation("origin"))
    assert found["shared"] == 4
    assert found["slots"] == {"n": ["three", "two"]}
    begun, *rows = texts(found["rows"])
    assert begun == ["HistoryContinued", None]
    assert rows == [["three", "two"], ["ok", "ok"]]
    assert found["more"] == [0, 0]


def test_two_moments_of_one_conversation_have_what_came_between(log: Turnlog) -> None:
    found = comparison(log.conversation("origin", event=2), log.conversation("origin"))
    assert (found["shared"], found["slots"]) == (2, {"n": ["hi", "two"]})
    assert [other for _, other in texts(found["rows"])] == ["ok", "two", "two", "ok"]
    assert all(one is None for one, _ in found["rows"])


def test_times_and_ids_do_not_differ_and_many_events_are_counted(log: Turnlog) -> None:
    with turnlog.open("memory:", clock=lambda: 5.0) as other:
        for text in ("hi", "two"):
            other.record("origin", UserUttered(text, message_id=text), SlotSet("n", text))
            other.record("origin", BotUttered("ok"))
        for _ in range(EVENTS + 9):
            other.record("origin", UserUttered("more"))
        found = comparison(log.conversation("origin"), other.conversation("origin", event=6))
        assert (found["shared"], found["rows"], found["slots"]) == (6, [], {})
        found = comparison(other.conversation("origin", event=5), log.conversation("fork"))
        assert found["shared"] == 4


def test_nothing_redacted_is_compared(log: Turnlog) -> None:
    log.record("origin", UserUttered("I am Xanthippe"), SlotSet("name", "Xanthippe"))
    log.record("origin", MessageRedacted(7))
    found = comparison(log.conversation("origin"), log.conversation("fork"))
    assert "Xanthippe" not in dumps(found).decode()
