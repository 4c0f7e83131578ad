"""Given a conversation, then events that cannot have happened there are refused by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import (
    ConversationDeleted,
    Dialogue,
    EventErased,
    KeyStoreUsed,
    LogRebuilt,
    TailLost,
    UserUttered,
)
from turnlog.domain.events import Event
from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError, InvalidEvent

OF_THE_LOG = [
    LogRebuilt([], 0),
    TailLost(7, "00", 5),
    KeyStoreUsed("00"),
    EventErased("UserUttered"),
]

DOORS: dict[str, Callable[[Turnlog, str, list[Event]], Any]] = {
    "record": lambda log, name, events: log.record(name, *events),
    "perform": lambda log, name, events: log.perform(name, lambda state, past: events),
    "import": lambda log, name, events: log.import_dialogue(Dialogue(name, tuple(events))),
}


@pytest.fixture
def log() -> Iterator[Turnlog]:
    with turnlog.open("memory:") as log:
        log.record("alice", UserUttered("hello"))
        yield log


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("event", OF_THE_LOG, ids=lambda event: type(event).__name__)
def test_only_the_log_records_events_about_itself(log: Turnlog, event: Any, door: str):
    name = "bob" if door == "import" else "alice"
    with pytest.raises((InvalidEvent, FormatError)) as raised:
        DOORS[door](log, name, [UserUttered("hi"), event])
    assert raised.value.field == type(event).__name__
    assert raised.value.conversation == name
    assert log.store.reader.last_position() == 1


@pytest.mark.parametrize("door", DOORS)
def test_an_unknown_conversation_is_not_deleted(log: Turnlog, door: str):
    with pytest.raises(InvalidEvent, match="'bob': ConversationDeleted: does not exist"):
        DOORS[door](log, "bob", [ConversationDeleted()])
    assert log.current.head(log.store.reader, "bob") is None


@pytest.mark.parametrize("door", DOORS)
def test_nothing_follows_a_deletion(log: Turnlog, door: str):
    name = "bob" if door == "import" else "alice"
    events = [UserUttered("a"), ConversationDeleted(), UserUttered("b")]
    with pytest.raises(InvalidEvent, match="ConversationDeleted: nothing follows a deletion"):
        DOORS[door](log, name, events)
    assert log.store.reader.last_position() == 1


def test_a_conversation_is_deleted_once(log: Turnlog):
    log.record("alice", ConversationDeleted())
    with pytest.raises(InvalidEvent, match="was deleted"):
        log.record("alice", ConversationDeleted())


def test_the_command_names_the_refused_event(tmp_path: Path):
    db = f"sqlite:///{tmp_path / 'log.db'}"
    asked = tmp_path / "asked.json"
    asked.write_text('{"type": "ConversationDeleted"}')
    status, _, err = run("append", "bob", asked, "--db", db)
    assert (status, err.count("\n")) == (2, 1)
    assert "'bob': ConversationDeleted: does not exist, so it cannot be deleted" in err
    assert not (tmp_path / "log.db").exists()
    asked.write_text('{"type": "LogRebuilt", "faults": [], "count": 0}')
    status, _, err = run("append", "bob", asked, "--db", db)
    assert (status, "bob': LogRebuilt: can be recorded only by the log itself" in err) == (2, True)
