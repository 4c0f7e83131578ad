"""Read models with keys: found newest first, and gone with their events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import pytest

import turnlog
from turnlog import MessageRedacted, SlotSet, UserIdentified, UserUttered
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.domain.recorded import RecordedEvent
from turnlog.engine.log import Turnlog
from turnlog.projections import PROJECTIONS, register
from turnlog.projections.keyed import KeyedProjection


class Entries(KeyedProjection):
    name = "entries"

    def keys(self, recorded: RecordedEvent) -> Iterable[tuple[str, Any]]:
        event = recorded.event
        if isinstance(event, UserUttered) and event.text:
            yield event.text, {"turn": recorded.turn}


class Owners(KeyedProjection):
    name = "owners"
    once: ClassVar[bool] = True

    def keys(self, recorded: RecordedEvent) -> Iterable[tuple[str, Any]]:
        if isinstance(recorded.event, UserIdentified):
            yield recorded.event.user, None


@pytest.fixture
def log(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Turnlog]:
    for model in (Entries(), Owners()):
        monkeypatch.setitem(PROJECTIONS, model.name, model)
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        yield log
        live = [list(log.view(name).log.entries(name)) for name in ("entries", "owners")]
        assert verify(log.store).faults == []
        rebuild(log.store)
        assert live == [list(log.store.reader.entries(name)) for name in ("entries", "owners")]
        assert verify(log.store).faults == []


def found(log: Turnlog, model: str, key: str, limit: int | None = None) -> list[tuple[str, int]]:
    return [(each.conversation, each.event) for each in log.view(model).find(key, limit)]


def test_the_newest_comes_first_whatever_the_conversation(log: Turnlog) -> None:
    log.record("a", UserUttered("hi"), SlotSet("n", 1), UserUttered("hi"))
    log.record("b", UserUttered("hi"))
    assert found(log, "entries", "hi") == [("b", 1), ("a", 3), ("a", 1)]
    assert found(log, "entries", "hi", 2) == [("b", 1), ("a", 3)]
    log.record("a", UserUttered("hi"))
    assert found(log, "entries", "hi", 1) == [("a", 4)]
    assert log.view("entries").find("hi", 1)[0].value == {"turn": 3}
    assert found(log, "entries", "h") == found(log, "entries", "hi ") == []


def test_a_conversation_can_appear_under_a_key_once(log: Turnlog) -> None:
    for id in ("a", "b", "a"):
        log.record(id, UserIdentified("ann"))
        log.view("owners")
    assert found(log, "owners", "ann") == [("a", 2), ("b", 1)]
    log.record("b", UserIdentified("ann"))
    assert found(log, "owners", "ann") == [("b", 2), ("a", 2)]


def test_deleted_and_redacted_events_have_no_keys(log: Turnlog) -> None:
    for id in ("a", "b", "c"):
        log.record(id, UserUttered("hi"), UserUttered("bye"), UserIdentified("ann"))
    assert len(found(log, "entries", "hi")) == 3
    log.delete("a")
    log.record("b", MessageRedacted(1))
    assert found(log, "entries", "hi") == [("c", 1)]
    assert found(log, "entries", "bye") == [("c", 2), ("b", 2)]
    assert found(log, "owners", "ann") == [("c", 3), ("b", 3)]
    log.record("a", UserUttered("hi"))
    assert found(log, "entries", "hi") == [("a", 1), ("c", 1)]


def test_a_fork_appears_next_to_its_origin(log: Turnlog) -> None:
    log.record("a", UserUttered("hi"), UserUttered("bye"))
    log.fork("a", event=1, as_="f")
    assert sorted(found(log, "entries", "hi")) == [("a", 1), ("f", 1)]
    assert found(log, "entries", "bye") == [("a", 2)]
    log.record("a", MessageRedacted(1))
    assert found(log, "entries", "hi") == []


def test_a_readonly_log_finds_newer_events(log: Turnlog, url: str) -> None:
    if url == "memory:":
        pytest.skip("a log in memory has one process")
    log.record("a", UserUttered("hi"))
    log.view("entries")
    log.record("b", UserUttered("hi"))
    with turnlog.open(url, readonly=True) as reading:
        assert found(reading, "entries", "hi") == [("b", 1), ("a", 1)]


def test_a_name_can_be_registered_once(log: Turnlog) -> None:
    register(Entries())
    with pytest.raises(ValueError, match="another read model is named 'entries'"):
        register(type("Other", (Entries,), {})())
