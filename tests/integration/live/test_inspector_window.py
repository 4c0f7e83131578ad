"""A window on a conversation agrees with the whole, and costs no more than what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import turnlog
from tests.parts.server import Server
from turnlog import (
    BotFailed,
    BotUttered,
    ConversationRestarted,
    HistoryReplaced,
    MessageRedacted,
    SlotSet,
    Turnlog,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.domain.plain import dumps
from turnlog.domain.recorded import traced
from turnlog.server.match import fails, match, says
from turnlog.server.overview import POINTS, overview
from turnlog.server.timeline import LONGEST, item
from turnlog.server.window import window

SECRET = "Xanthippe"


def wild(log: Turnlog, id: str) -> None:
    """A conversation with every kind of rewind, branches, and a redaction."""
    for turn in range(12):
        log.record(id, UserUttered(f"turn {turn}"), SlotSet("n", turn), BotUttered("ok"))
    log.record(id, UserUttered(f"I am {SECRET}"), SlotSet("name", SECRET), BotUttered(SECRET))
    log.record(id, UserUtteranceReverted())
    log.checkout(id, "retry", turn=4)
    log.record(id, UserUttered("other"), SlotSet("n", "b"), HistoryReplaced(to=2))
    log.checkout(id, "main")
    log.record(id, ConversationRestarted(), UserUttered("again"), SlotSet("n", None))
    log.record(id, MessageRedacted(37), SlotSet("m", 1), BotUttered("end"))


@pytest.fixture(scope="module")
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as opened:
        wild(opened, "wild")
        opened.fork("wild", as_="fork", event=20)
        opened.record("fork", UserUttered("here"), SlotSet("n", "fork"), HistoryReplaced(to=5))
        yield opened


def placeless(shown: dict[str, Any]) -> dict[str, Any]:
    """Before the first branch begins, no event is on a branch."""
    left = {name: held for name, held in shown.items() if name not in ("branch", "branch_turn")}
    return left if shown.get("branch", "main") == "main" else shown


@pytest.mark.parametrize("id", ["wild", "fork"])
def test_every_window_is_a_part_of_the_whole(log: Turnlog, id: str) -> None:
    conversation = log.conversation(id)
    whole = [item(each) for each in traced(conversation.recorded())]
    assert len(whole) > 20
    for event in range(len(whole) + 1):
        for before, after in ((1, 0), (5, 3), (0, 4), (200, 200)):
            shown = window(conversation, event, before, after)
            first, end = max(1, event - before + 1), min(len(whole), event + after)
            assert [*map(placeless, shown["items"])] == [*map(placeless, whole[first - 1 : end])]
            assert all("branch" in each for each in shown["items"] if each["event"] > 42)
            assert shown["slots"] == log.conversation(id, event=first - 1).slots
            assert SECRET not in dumps(shown).decode()


def test_the_overview_has_the_spans_of_every_slot(log: Turnlog) -> None:
    for id in ("wild", "fork"):
        head, _ = log.head(id)
        found = overview(log.conversation(id), log.past(head))
        held = {slot["name"]: slot["spans"] for slot in found["slots"]}
        for event in range(1, found["last"] + 1):
            names = {n for n, spans in held.items() if any(a <= event <= b for a, b in spans)}
            assert names == log.conversation(id, event=event).slots.keys()
        assert SECRET not in dumps(found).decode()
    assert found["rewinds"][-1] == (24, 5)


def test_the_overview_has_the_turns_and_the_pauses_before_them() -> None:
    with turnlog.open("memory:") as log:
        for time in (100.0, 100.0, 400.5):
            log.record("t", UserUttered("hi", timestamp=time), BotUttered("?", timestamp=time + 2))
        head, _ = log.head("t")
        assert overview(log.conversation("t"), log.past(head))["turns"] == [
            (1, 0.0), (3, 0.0), (5, 298.5),
        ]  # fmt: skip


def test_the_overview_of_a_long_conversation_is_bounded_and_right_at_its_points() -> None:
    with turnlog.open("memory:") as log:
        for turn in range(3_000):
            log.record("long", UserUttered("x"), SlotSet("n", turn), SlotSet(f"s{turn % 40}", turn))
        head, _ = log.head("long")
        found = overview(log.conversation("long"), log.past(head))
        assert (len(found["slots"]), found["more"]) == (24, 17)
        for slot in found["slots"]:
            assert 0 < len(slot["spans"]) <= POINTS
            assert slot["spans"][-1][1] == 9_000
            for since, _ in slot["spans"]:
                assert slot["name"] in log.conversation("long", event=since).slots


def test_a_long_value_is_cut_and_whole_when_asked_for(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=10) as http:
        text, many = "x" * 90_000, {"rows": list(range(5_000))}
        said = {"type": "UserUttered", "text": text}
        body = [said, {"type": "SlotSet", "name": "many", "value": many}]
        http.post("/v1/conversations/cut/events", json=body).raise_for_status()
        asked = {"conversation": "cut"}
        shown = http.get("/inspect/api/timeline", params=asked)
        assert len(shown.content) < 4 * LONGEST
        first, second = shown.json()["items"]
        assert first["cut"] == {"text": 90_000}
        assert first["fields"]["text"] == text[:LONGEST] + "…"
        assert second["cut"] == {"value": len(dumps(many)), "many": len(dumps(many))}
        whole = http.get("/inspect/api/event", params={**asked, "event": 1}).json()
        assert (whole["fields"]["text"], "cut" in whole) == (text, False)
        other = http.get("/inspect/api/event", params={**asked, "event": 2}).json()
        assert other["slots"] == {"many": many}
        beyond = http.get("/inspect/api/event", params={**asked, "event": 3})
        assert beyond.status_code == 404
        assert "event 3 does not exist; the last is 2" in beyond.text


def test_a_turn_is_found_and_one_beyond_the_end_is_the_end(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=10) as http:
        for turn in range(3):
            body = [{"type": "UserUttered", "text": str(turn)}, {"type": "SlotsReset"}]
            http.post("/v1/conversations/turns/events", json=body).raise_for_status()

        def event(turn: int) -> int:
            asked = {"conversation": "turns", "turn": turn}
            answer = http.get("/inspect/api/timeline", params=asked).raise_for_status()
            return int(answer.json()["event"])

        assert [event(turn) for turn in range(5)] == [0, 2, 4, 6, 6]
        over = http.get("/inspect/api/timeline", params={"conversation": "turns", "before": 201})
        assert over.status_code == 400
        assert "before" in over.text


def test_the_next_failure_and_the_next_text_are_found_in_both_directions() -> None:
    with turnlog.open("memory:") as log:
        log.record("c", UserUttered("ab"), BotFailed("error", "KeyError"), BotUttered("AB cd"))
        log.record("c", UserUttered(SECRET), BotFailed("timeout"), MessageRedacted(4))
        seen = log.conversation("c")
        assert match(seen, 0, fails) == {"event": 2, "seen": 2}
        assert match(seen, 2, fails)["event"] == 5
        assert match(seen, 5, fails) == {"event": None, "seen": None}
        assert match(seen, 5, fails, back=True)["event"] == 2
        assert [match(seen, event, says("aB"))["event"] for event in (0, 1, 3)] == [1, 3, None]
        assert match(seen, 3, says("ab"), back=True)["event"] == 1
        assert match(seen, 0, says("keyerror"))["event"] == 2
        assert match(seen, 0, says(SECRET))["event"] is None
        assert json.loads(dumps(match(seen, 6, says("ab"), back=True)))["event"] == 3
