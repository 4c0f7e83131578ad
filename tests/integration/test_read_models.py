"""Read models on every back end: the same entries from the same events, live and rebuilt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import (
    BotUttered,
    HistoryReplaced,
    MessageEdited,
    MessageRedacted,
    PromptArmed,
    SlotSet,
    ThreadStarted,
    Turnlog,
    UserIdentified,
    UserUttered,
    ValueSet,
)
from turnlog.domain.streams import is_conversation
from turnlog.engine.query import matching
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import catch_up, rebuild
from turnlog.projections.rebuilding import rebuild_heads
from turnlog.projections.slot_history import changes
from turnlog.projections.transcript import messages


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    url = {"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/chat.db"}.get(request.param)
    if url is None:
        url = request.getfixturevalue("postgres_url")
    with turnlog.open(url, clock=lambda: 1000.0) as opened:
        opened.record("alice", UserUttered("a table"), SlotSet("people", 2), ValueSet("k", [1]))
        opened.record("alice", BotUttered("my card is 1234"), UserUttered("tree"))
        opened.record("alice", MessageEdited(5, "three"), MessageRedacted(4), SlotSet("people", 3))
        opened.record("alice", HistoryReplaced(to=3), UserUttered("no"))
        opened.record("bob", UserUttered("hi"), SlotSet("people", 2))
        opened.record("bob", ThreadStarted("u", "s"), PromptArmed("t", due=2000.0))
        yield opened


def contents(log: Turnlog) -> dict[str, Any]:
    return {name: list(log.store.reader.entries(name)) for name in PROJECTIONS}


def test_slot_history_has_each_change_with_its_event_and_turn(log: Turnlog) -> None:
    found = list(changes(log.view("slots"), "alice", "people"))
    assert [(e["event"], e["turn"], e["type"], e["slots"]["people"]) for e in found] == [
        (2, 1, "SlotSet", [None, 2]),
        (8, 2, "SlotSet", [2, 3]),
        (9, 2, "HistoryReplaced", [3, 2]),
    ]
    assert list(changes(log.view("slots"), "alice", "other")) == []


def test_a_transcript_has_edits_redactions_and_rewound_messages(log: Turnlog) -> None:
    found = list(messages(log.view("transcript"), "alice"))
    assert [(m["event"], m["turn"], m["actor"], m["text"], m["taken_back"]) for m in found] == [
        (1, 1, "user", "a table", False),
        (4, 1, "bot", None, True),
        (5, 2, "user", "three", True),
        (10, 3, "user", "no", False),
    ]
    assert (found[1]["redacted"], found[2]["edited"]) == (7, 6)


def test_a_view_includes_the_newest_commit(log: Turnlog) -> None:
    for number in range(3):
        log.record("carol", SlotSet("n", number))
        assert len(list(changes(log.view("slots"), "carol"))) == number + 1


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_a_rebuilt_model_equals_the_live_one_for_any_batch_size(log: Turnlog, batch: int) -> None:
    log.record("bob", UserIdentified("bob"))
    log.hold("bob", reason="a case", actor="dpo")
    catch_up(log.store, PROJECTIONS.values(), batch)
    log.current.catch_up()
    live, heads = contents(log), list(log.store.reader.heads())
    assert all(live.values())
    for projection in PROJECTIONS.values():
        rebuild(log.store, projection, 3)
    rebuild_heads(log.store, batch)
    assert contents(log) == live
    assert list(log.store.reader.heads()) == heads


def test_a_deleted_conversation_is_in_no_read_model(log: Turnlog) -> None:
    catch_up(log.store, PROJECTIONS.values())
    log.delete("alice")
    catch_up(log.store, PROJECTIONS.values())
    left = {id for model in contents(log).values() for id, _, _ in model}
    assert set(filter(is_conversation, left)) == {"bob"}  # next to the entries of keys
    assert "alice" not in repr(contents(log))
    assert [head.conversation for head, _ in matching(log, search="a")] == []


def test_a_redacted_word_is_not_found(log: Turnlog) -> None:
    assert [head.conversation for head, _ in matching(log, search="three")] == ["alice"]
    assert list(matching(log, search="1234")) == []


def test_search_and_filters_combine(log: Turnlog) -> None:
    found = [head.conversation for head, _ in matching(log, where="slot.people=2", search="HI")]
    assert found == ["bob"]


def test_a_reader_without_write_permission_reads_the_same_entries(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    with turnlog.open(url) as log:
        for id in ("alice", "bob", "carol"):
            log.record(id, UserUttered("first"), SlotSet("people", 4), BotUttered("fine"))
        for name in PROJECTIONS:
            log.view(name)
        log.record("alice", MessageRedacted(1), UserUttered("later"))
        log.delete("bob")
        log.delete("carol")
        log.record("carol", UserUttered("a new life"), SlotSet("people", 5))
        log.record("dave", *(UserUttered(f"{number}") for number in range(3)))
        for number in range(100):
            log.record("dave", SlotSet("people", number), HistoryReplaced(to=number))
        with turnlog.open(url, readonly=True) as reading:
            seen = {name: entries(reading, name) for name in PROJECTIONS}
        assert seen == {name: entries(log, name) for name in PROJECTIONS}
    assert [entry["text"] for entry in seen["transcript"]["carol"].values()] == ["a new life"]


def entries(log: Turnlog, name: str) -> dict[str, dict[str, Any]]:
    view = log.view(name)
    return {id: dict(view.entries(id)) for id in ("alice", "bob", "carol", "dave")}
