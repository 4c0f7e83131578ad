"""Given conversations, when they are listed or searched, then the right ones come, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import turnlog
from tests.command_line import run
from tests.property.test_redactions import recorded, turns
from turnlog import (
    BotFailed,
    BotUttered,
    ConversationDeleted,
    MessageRedacted,
    Slot,
    SlotsDeclared,
    SlotSet,
    SlotsReset,
    ToolCalled,
    ToolReturned,
    UserUttered,
)
from turnlog.domain import events as e
from turnlog.engine.log import Turnlog
from turnlog.engine.query import matching
from turnlog.errors import FormatError
from turnlog.projections import PROJECTIONS, live_head, search, tail
from turnlog.projections.projection import catch_up

commits = st.lists(st.lists(turns, min_size=1, max_size=3), min_size=1, max_size=12)


@pytest.fixture(params=["clear", "sealed"])
def log(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    keys = f"sqlite:///{tmp_path}/keys.db" if request.param == "sealed" else None
    with turnlog.open(url, keys=keys) as log:
        yield log


def ids(log: Turnlog, text: str | None = None, **more: Any) -> list[str]:
    return [head.conversation for head, _ in matching(log, search=text, **more)]


def newest(log: Turnlog, **more: Any) -> list[str]:
    return ids(log, newest=True, **more)


def fill(log: Turnlog) -> None:
    log.record("anna", UserUttered("A table for FOUR, please"), SlotSet("people", 4))
    log.record("anna", BotUttered("Straße or garden?"), SlotsReset())
    log.record("ben", UserUttered("hello"), SlotSet("people", "4"), SlotSet("days", ["Mo", "Tu"]))
    log.record("cleo", SlotsDeclared((Slot("people", initial=2), Slot("city"))))
    log.record("cleo", UserUttered("4 of us"), ToolCalled("find", {"n": 4}, call_id="1"))
    log.record("cleo", ToolReturned("no table", call_id="1", is_error=True))
    log.record("dora", UserUttered("hello, world"), BotFailed())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("people", "anna ben cleo"),
        ("PEOPLE=4", "anna ben"),
        ("four, PLEASE", "anna"),
        ("STRASSE", "anna"),
        ("hello", "ben dora"),
        ("hello, world", "dora"),
        ("ann", "anna"),
        ("unknown", ""),
        ("slot:people=4", "anna ben"),
        ("slot:people", "anna ben cleo"),
        ("slot:city", ""),
        ("slot:days=mo", "ben"),
        ("slot:days=Mo, hello", "ben"),
        ("kind:error", "cleo dora"),
        ("kind:toolcalled", "cleo"),
        ("hello, slot:people=4", "ben"),
        ("kind:error,4 of", "cleo"),
        ("slot:people=4, kind:SlotsReset, table", "anna"),
        ("slot: people", ""),
        (", world", "dora"),
    ],
)
def test_a_search_covers_texts_slots_ids_and_kinds(log: Turnlog, text: str, found: str) -> None:
    fill(log)
    assert sorted(ids(log, text)) == found.split()


def test_an_unknown_kind_is_named(log: Turnlog) -> None:
    with pytest.raises(FormatError, match="'sloth'"):
        ids(log, "kind:sloth")


def test_the_conversation_with_the_newest_event_comes_first(log: Turnlog) -> None:
    fill(log)
    log.record("ben", BotUttered("hi"))
    assert newest(log) == ["ben", "dora", "cleo", "anna"]
    assert newest(log, text="people") == ["ben", "cleo", "anna"]
    assert newest(log, where="slot.people=2") == ["cleo"]
    log.record("cleo", ConversationDeleted())
    assert newest(log) == ["ben", "dora", "anna"]
    assert newest(log, text="people") == ["ben", "anna"]


def test_the_order_combines_the_table_and_newer_rows(
    log: Turnlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BEHIND_ROWS", 7)
    monkeypatch.setattr("turnlog.projections.heads._HEADS_AT_ONCE", 3)
    monkeypatch.setattr("turnlog.engine.search._AT_ONCE", 2)
    order: list[str] = []
    for number in range(40):
        id = f"c{number * 7 % 12}"
        log.record(id, UserUttered(f"message {number}"))
        order = [id, *(other for other in order if other != id)]
        assert newest(log) == order
    assert newest(log, text="message") == order
    for head, _ in log.heads(newest=True):
        at = order.index(head.conversation)
        assert newest(log, before=head.position) == order[at + 1 :]


def test_a_later_page_does_not_repeat_conversations_that_grew_meanwhile(log: Turnlog) -> None:
    for id in "abcdef":
        log.record(id, UserUttered("hello"))
    first = [head for head, _ in matching(log, newest=True)][:3]
    log.record("e", UserUttered("here I am"))
    log.record("b", UserUttered("I am new to the top"))
    log.current.catch_up()
    assert newest(log, before=first[-1].position) == ["c", "a"]
    assert newest(log)[:2] == ["b", "e"]


def test_a_redacted_word_is_not_found(log: Turnlog) -> None:
    log.record("a", UserUttered("my card is 4111"), SlotSet("card", "4111"), BotUttered("4111?"))
    log.record("b", UserUttered("also 4111"))
    assert sorted(ids(log, "4111")) == ["a", "b"]
    log.record("a", MessageRedacted(1))
    assert ids(log, "4111") == ["b"]
    log.erase("b", reason="asked to", actor="dpo")
    assert ids(log, "4111") == []


@pytest.mark.parametrize("readonly", [False, True])
def test_a_read_only_log_finds_newer_events(tmp_path: Path, readonly: bool) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url) as log:
        fill(log)
        assert ids(log, "four") == ["anna"]
        log.record("eve", UserUttered("table for four"))
        log.record("ben", UserUttered("four"))
        with turnlog.open(url, readonly=readonly) as other:
            assert ids(other, "four") == ["anna", "ben", "eve"]
            assert ids(other, "slot:people=4") == ["anna", "ben"]


def test_the_command_finds_a_slot_by_its_name(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url) as log:
        fill(log)
    listed = run("list", "--search", "people", "--newest", "--limit", "2", "--json", "--db", url)
    assert [line["conversation"] for line in listed.lines] == ["cleo", "ben"]
    wrong = run("list", "--search", "kind:nothing", "--db", url)
    assert (wrong.status, "'nothing'" in wrong.err) == (2, True)


def test_sealed_content_is_indexed_without_clear_words(tmp_path: Path) -> None:
    url, keys = f"sqlite:///{tmp_path}/log.db", f"sqlite:///{tmp_path}/keys/k.db"
    (tmp_path / "keys").mkdir()
    with turnlog.open(url, keys=keys) as log:
        log.record("canary", UserUttered("canary"), SlotSet("canary", "canary"))
        assert ids(log, "canary") == ["canary"]
        assert log.store.reader.checkpoint("search") is not None
    assert not [p for p in tmp_path.glob("log.db*") if b"canary" in p.read_bytes()]


@given(
    st.lists(st.lists(turns, min_size=1, max_size=3), min_size=1, max_size=12), st.integers(1, 9)
)
@settings(deadline=None)
def test_pages_show_the_events_without_hidden_words(asked: list[list[e.Event]], batch: int) -> None:
    with pytest.MonkeyPatch.context() as patched, turnlog.open("memory:") as log:
        patched.setattr(search, "_LETTERS", 20)
        patched.setattr(live_head, "SNAPSHOT_EVERY", 4)
        half = len(asked) // 2
        recorded(log, asked[:half])
        catch_up(log.store, [PROJECTIONS["search"]], batch)
        recorded(log, asked[half:])
        if "c" not in log:
            return
        view, heads = log.view("search"), [head for head, _ in log.heads()]
        [pages] = search.pages(view, heads).values()
        events = [each.event for each in log.conversation("c").recorded()]
        said = [getattr(event, "text", None) for event in events]
        texts = [text for text in said if isinstance(text, str)]
        assert "".join(page.texts.lstrip(search.MARK) for page in pages).split(search.MARK) == [
            *(text.casefold() for text in texts),
            "",
        ]
        lines = {line for page in pages for line in page.slots.split(search.MARK) if line}
        sets = [event for event in events if isinstance(event, SlotSet) and event.value is not None]
        assert {search.slot_line(event.name, event.value) for event in sets} <= lines
