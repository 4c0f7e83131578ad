"""Recording and reading through the application, on every back end that needs no server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from turnlog import (
    Attachment,
    BotUttered,
    SlotSet,
    SystemInstructed,
    ToolReturned,
    Turnlog,
    UserUttered,
)
from turnlog.domain.message_parts import Text
from turnlog.errors import (
    ForeignDatabase,
    InvalidEvent,
    OutOfRange,
    StorageError,
    UnknownConversation,
    VersionConflict,
)


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/chat.db"
    clock = iter(float(second) for second in range(1000, 100_000))
    with turnlog.open(url, clock=lambda: next(clock)) as opened:
        yield opened


def three_turns(log: Turnlog) -> None:
    for number in (1, 2, 3):
        log.record("alice", UserUttered(f"message {number}"), SlotSet("n", number))
        log.record("alice", BotUttered(f"answer {number}"))


def test_a_recorded_conversation_is_read_back(log: Turnlog) -> None:
    log.record("alice", UserUttered("a table for two"), SlotSet("people", 2))
    alice = log.conversation("alice")
    assert (alice.slots, alice.turn) == ({"people": 2}, 1)
    assert list(alice.events()) == [
        UserUttered("a table for two", timestamp=1000.0),
        SlotSet("people", 2, timestamp=1000.0),
    ]


def test_a_conversation_is_read_as_of_a_turn_an_event_and_a_time(log: Turnlog) -> None:
    three_turns(log)
    assert log.conversation("alice", turn=2).slots == {"n": 2}
    assert log.conversation("alice", event=4).slots == {"n": 1}
    assert log.conversation("alice", event=5).slots == {"n": 2}
    assert log.conversation("alice", time=1002.5).slots == {"n": 2}
    assert [e.timestamp for e in log.conversation("alice", event=3).events()] == [1000, 1000, 1001]


def test_reading_continues_into_staged_events(log: Turnlog) -> None:
    three_turns(log)
    alice = log.repository.get("alice")
    alice.stage(SlotSet("n", 4), SlotSet("n", 5), recorded=5.0)
    every = [*log.conversation("alice").events(), SlotSet("n", 4), SlotSet("n", 5)]
    for after in range(12):
        assert [*alice.events(after)] == every[after:]


def test_a_conversation_knows_its_version_at_each_moment(log: Turnlog) -> None:
    three_turns(log)
    for version, slots in ((2, {"n": 1}), (3, {"n": 2}), (6, {"n": 3})):
        alice = log.conversation("alice", version=version)
        assert (alice.version, alice.slots) == (version, slots)
    assert log.conversation("alice").version == 6


def test_a_time_is_that_of_the_last_event_not_after_it(log: Turnlog) -> None:
    three_turns(log)
    assert log.conversation("alice", time=1002.0).slots == {"n": 2}
    assert log.conversation("alice", time=1001.9).slots == {"n": 1}


@pytest.mark.parametrize("name", ["x" * 1_000, "é" * 500])
def test_an_id_and_a_key_may_have_a_thousand_bytes_and_no_more(log: Turnlog, name: str) -> None:
    log.record(name, SlotSet("a", 1), key=name)
    assert not log.record(name, SlotSet("a", 1), key=name).new
    with pytest.raises(InvalidEvent, match=r"^conversation .* has 1,001 bytes"):
        log.record(f"{name}x", SlotSet("a", 1))
    with pytest.raises(InvalidEvent, match=r"key: .* has 1,001 bytes"):
        log.record(name, SlotSet("a", 1), key=f"{name}x")
    assert list(log.ids()) == [name]


@pytest.mark.parametrize("moment", [{"turn": 4}, {"turn": -1}, {"turn": 0}, {"event": 10}])
def test_an_unknown_moment_is_refused(log: Turnlog, moment: dict[str, int]) -> None:
    three_turns(log)
    with pytest.raises(OutOfRange, match="'alice'"):
        log.conversation("alice", **moment)  # type: ignore[arg-type]


@pytest.mark.parametrize("event", [-1, 10])
def test_an_unknown_event_is_refused_and_the_last_is_named(log: Turnlog, event: int) -> None:
    three_turns(log)
    with pytest.raises(OutOfRange, match=f"event {event} does not exist; the last is 9"):
        log.history("alice").state(event)


def test_a_time_needs_timestamps(log: Turnlog) -> None:
    log.import_dialogue(turnlog.Dialogue("old", (UserUttered("hi"),)))
    with pytest.raises(OutOfRange, match="no timestamps"):
        log.conversation("old", time=5.0)


def test_a_dialogue_is_the_last_turns_with_their_numbers(log: Turnlog) -> None:
    three_turns(log)
    dialogue = log.conversation("alice").dialogue(turns=2)
    assert [(turn.number, turn.first_event) for turn in dialogue.turns()] == [(2, 4), (3, 7)]
    assert [t.message.text for t in dialogue.turns() if t.message] == ["message 2", "message 3"]


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4])
def test_the_last_turns_are_the_same_read_from_the_end_or_cut_from_all(
    log: Turnlog, turns: int
) -> None:
    three_turns(log)
    alice, earlier = log.conversation("alice"), log.conversation("alice", turn=2)
    assert alice.dialogue(turns=turns) == alice.dialogue().last(turns)
    assert earlier.dialogue(turns=turns) == earlier.dialogue().last(turns)


def test_a_message_id_is_recorded_once(log: Turnlog) -> None:
    first = log.record("alice", UserUttered("hi", message_id="m1"))
    again = log.record("alice", UserUttered("hi", message_id="m1"))
    other = log.record("bob", UserUttered("hi", message_id="m1"))
    assert (first.new, again.new, other.new) == (True, False, True)
    assert again.commits == first.commits
    assert log.conversation("alice").turn == 1


def test_an_expected_version_that_has_passed_is_a_conflict_and_records_nothing(
    log: Turnlog,
) -> None:
    three_turns(log)
    with pytest.raises(VersionConflict, match="expected version 2, found 6"):
        log.record("alice", UserUttered("late"), expected_version=2)
    assert log.conversation("alice").turn == 3


@pytest.mark.parametrize(
    ("event", "named"),
    [
        (SlotSet("x", float("nan")), "SlotSet.value: is nan"),
        (SlotSet("x", {"a": [float("inf")]}), "SlotSet.value: .* is inf"),
        (SlotSet("x", 2**64), "beyond 64 bits"),
        (SlotSet("x", {1: 2}), "not a string"),
        (SlotSet("x", {1, 2}), "set"),
        (SlotSet("x", b"raw"), "bytes"),
        (SlotSet("x", SlotSet("y", 1)), "SlotSet.value: .* of type SlotSet, which is not a JSON"),
        (SlotSet("x", [SlotSet("y", 1)]), "of type SlotSet, which is not a JSON value"),
        (SlotSet("x", Text("y")), "of type Text, which is not a JSON value"),
        (SlotSet("x", Attachment("0" * 64, 1)), "of type Attachment, which is not a JSON value"),
        (ToolReturned([Attachment("0" * 64, 1)]), "ToolReturned.result: .* of type Attachment"),
        (SystemInstructed(tools=[Text("y")]), "SystemInstructed.tools: .* of type Text"),
        (UserUttered("\ud800"), "UserUttered.text: .*lone surrogate"),
        (UserUttered(5), "UserUttered: Expected `str | null`, got `int`"),  # type: ignore[arg-type]
        (SlotSet("x", "y" * 1_000_001), "the limit for an event is 1,000,000"),
        ("text", "'text' is not an event"),
    ],
)
def test_a_value_that_cannot_be_stored_is_refused_by_name(
    log: Turnlog, event: turnlog.Event, named: str
) -> None:
    log.record("alice", UserUttered("before"))
    with pytest.raises(InvalidEvent, match=named):
        log.record("alice", SlotSet("good", 1), event)
    assert log.conversation("alice").slots == {}


def test_a_value_changed_by_its_owner_later_changes_nothing_recorded(log: Turnlog) -> None:
    value = ["a"]
    log.record("alice", SlotSet("list", value))
    value.append("b")
    assert log.conversation("alice").slots == {"list": ["a"]}


def test_a_deleted_conversation_is_hidden_and_takes_no_late_answer(log: Turnlog) -> None:
    three_turns(log)
    log.delete("alice")
    assert "alice" not in log
    assert list(log.ids()) == []
    with pytest.raises(UnknownConversation):
        log.conversation("alice")
    with pytest.raises(InvalidEvent, match="was deleted"):
        log.record("alice", BotUttered("late"))


def test_a_log_keeps_its_conversations_when_reopened(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/chat.db"
    with turnlog.open(url) as log:
        three_turns(log)
    with turnlog.open(url) as log:
        assert log.conversation("alice").slots == {"n": 3}
        assert log.record("alice", UserUttered("x"), key="k").commits[0].version == 7


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"not a database, but long enough to be looked at" * 50, "not a SQLite database")],
)
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "x.db").write_bytes(content)
    with pytest.raises(ForeignDatabase, match=why):
        turnlog.open(f"sqlite:///{tmp_path}/x.db")
    assert (tmp_path / "x.db").read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = (tmp_path / "x.db").read_bytes()
    with pytest.raises(ForeignDatabase, match="not a turnlog log"):
        turnlog.open(f"sqlite:///{tmp_path}/x.db")
    assert (tmp_path / "x.db").read_bytes() == before


def test_a_url_without_a_database_is_refused() -> None:
    with pytest.raises(StorageError, match="not a database URL"):
        turnlog.open("chat.db")
