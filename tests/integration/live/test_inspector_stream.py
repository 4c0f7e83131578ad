"""The inspector's stream: the effects of events on the slots, as they are recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.parts.server import Server


def items(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.startswith("data: "):
            yield from json.loads(line.removeprefix("data: "))


def test_a_rewind_shows_restored_messages_to_readers_that_joined_later(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=10) as http:

        def record(*events: dict[str, Any]) -> None:
            http.post("/v1/conversations/live/events", json=events).raise_for_status()

        for people in (2, 3):
            said = {"type": "UserUttered", "text": f"for {people}"}
            record(said, {"type": "SlotSet", "name": "people", "value": people})
        record({"type": "UserUttered", "text": "no"})
        query = {"conversation": "live", "after": 5}
        with http.stream("get", "/inspect/api/live", params=query) as response:
            shown = items(response.iter_lines())
            record({"type": "HistoryReplaced", "to": 2})
            assert next(shown)["slots"] == {"people": 2}
            record({"type": "HistoryReplaced", "to": 4}, {"type": "HistoryReplaced", "to": 1})
            assert [next(shown)["slots"] for _ in range(2)] == [{"people": 3}, {"people": None}]
