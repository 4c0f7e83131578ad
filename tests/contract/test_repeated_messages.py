"""A user's message is recorded once by its id; the events with it are not lost (ADR 17)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import turnlog
from turnlog import Attachment, BotUttered, Dialogue, MessageRedacted, SlotSet, UserUttered
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.domain.events import HistoryReplaced, MediaAdded, UserUtteranceReverted
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent, VersionConflict

SAID = UserUttered("a table for two", message_id="m1")


@pytest.fixture(params=["sqlite", "postgres"])
def durable_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A log that several processes can open concurrently."""
    if request.param == "postgres":
        found: str = request.getfixturevalue("postgres_url")
        return found
    return f"sqlite:///{tmp_path}/chat.db"


@pytest.fixture
def log(url: str) -> Iterator[Turnlog]:
    ticks = iter(range(1000, 10_000))
    with turnlog.open(url, clock=lambda: float(next(ticks))) as opened:
        yield opened
        assert verify(opened.store).faults == []
        rebuild(opened.store)
        assert verify(opened.store).faults == []


def said(log: Turnlog, id: str = "alice") -> list[Any]:
    events = log.conversation(id).events()
    return [getattr(event, "text", None) or getattr(event, "value", None) for event in events]


def answer(recorded: Any) -> tuple[bool, list[int], list[str]]:
    return recorded.new, [commit.version for commit in recorded.commits], [*recorded.repeated]


def test_the_same_commit_again_is_known(log: Turnlog) -> None:
    first = log.record("alice", SAID, SlotSet("people", 2), BotUttered("when?"))
    again = log.record("alice", SAID, SlotSet("people", 2), BotUttered("when?"))
    assert answer(first) == (True, [1], [])
    assert answer(again) == (False, [1], ["m1"])
    assert again.commits == first.commits
    assert said(log) == ["a table for two", 2, "when?"]


def test_events_with_a_known_message_are_recorded_and_open_no_turn(log: Turnlog) -> None:
    log.record("alice", SAID)
    mixed = log.record("alice", SAID, SlotSet("people", 2), BotUttered("when?"))
    assert answer(mixed) == (True, [2], ["m1"])
    assert said(log) == ["a table for two", 2, "when?"]
    assert log.conversation("alice").turn == 1


def test_events_with_a_known_message_are_recorded_once(log: Turnlog) -> None:
    log.record("alice", SAID)
    log.record("alice", SAID, SlotSet("people", 2))
    log.record("alice", SlotSet("people", 3))
    again = log.record("alice", SAID, SlotSet("people", 2))
    other = log.record("alice", SAID, SlotSet("people", 4))
    assert answer(again) == (False, [2], ["m1"])
    assert answer(other) == (True, [4], ["m1"])
    assert said(log) == ["a table for two", 2, 3, 4]


@pytest.mark.parametrize("value", [3, True, 2.0, None])
def test_a_value_that_differs_is_recorded(log: Turnlog, value: Any) -> None:
    log.record("alice", SAID, SlotSet("people", 2))
    assert log.record("alice", SAID, SlotSet("people", value)).new
    assert log.conversation("alice").slots.get("people") is value or value == 2.0


def test_a_repeated_message_may_have_another_time(log: Turnlog) -> None:
    first = UserUttered("hi", message_id="m1", timestamp=5.0)
    again = UserUttered("hi", message_id="m1", timestamp=9.0)
    log.record("alice", first, SlotSet("n", 1, timestamp=5.0))
    assert not log.record("alice", again, SlotSet("n", 1, timestamp=9.0)).new
    assert log.record("alice", again, SlotSet("n", 2, timestamp=9.0)).new
    assert not log.record("alice", again, SlotSet("n", 2, timestamp=11.0)).new


def test_every_message_of_a_commit_is_known_afterwards(log: Turnlog) -> None:
    log.record("alice", *(UserUttered(f"{n}", message_id=f"m{n}") for n in range(120)))
    for number in (0, 1, 119):
        again = log.record("alice", UserUttered("?", message_id=f"m{number}"))
        assert answer(again) == (False, [1], [f"m{number}"])
    log.record("alice", UserUttered("new", message_id="new"))
    both = log.record(
        "alice", UserUttered("?", message_id="new"), UserUttered("?", message_id="m7")
    )
    assert answer(both) == (False, [2, 1], ["new", "m7"])
    assert log.conversation("alice").turn == 121


def test_of_known_and_new_messages_the_new_ones_are_recorded(log: Turnlog) -> None:
    log.record("alice", SAID)
    new = UserUttered("for three", message_id="m2")
    mixed = log.record("alice", SAID, BotUttered("when?"), new, SAID, new)
    assert answer(mixed) == (True, [2], ["m1"])
    assert said(log) == ["a table for two", "when?", "for three"]
    assert not log.record("alice", SAID, BotUttered("when?"), new).new
    assert log.conversation("alice").turn == 2


def test_a_message_twice_in_a_commit_is_one(log: Turnlog) -> None:
    first = log.record("alice", SAID, SlotSet("n", 1), SAID)
    assert first.new
    assert said(log) == ["a table for two", 1]
    assert not log.record("alice", SAID, SlotSet("n", 1), SAID).new
    assert not log.record("alice", SAID, SlotSet("n", 1)).new


def test_the_stored_text_wins(log: Turnlog) -> None:
    log.record("alice", SAID)
    again = log.record("alice", UserUttered("for nine", message_id="m1"))
    assert (again.new, again.events[0].text) == (False, "a table for two")
    assert said(log) == ["a table for two"]


def test_a_redacted_message_is_known_and_stays_hidden(log: Turnlog) -> None:
    log.record("alice", SAID, SlotSet("people", 2))
    log.record("alice", MessageRedacted(1))
    for text in ("a table for two", "for nine"):
        again = log.record("alice", UserUttered(text, message_id="m1"))
        assert not again.new
        assert "table" not in str(again.commits)
    assert not log.record("alice", SAID, SlotSet("people", 2)).new
    assert "table" not in str(said(log))


def test_a_key_is_not_a_message_id(log: Turnlog) -> None:
    assert log.record("alice", SlotSet("n", 1), key="m1").new
    assert log.record("alice", SAID).new
    assert not log.record("alice", SlotSet("n", 2), key="m1").new
    assert not log.record("alice", SAID).new
    assert said(log) == [1, "a table for two"]


def test_the_key_decides_if_the_commit_has_one(log: Turnlog) -> None:
    log.record("alice", SAID, SlotSet("n", 1), key="k1")
    other = UserUttered("other", message_id="m2")
    assert answer(log.record("alice", other, key="k1")) == (False, [1], [])
    assert answer(log.record("alice", SAID, SlotSet("n", 1), key="k2")) == (True, [2], ["m1"])
    assert answer(log.record("alice", SAID, SlotSet("n", 1), key="k2")) == (False, [2], [])
    assert answer(log.record("alice", SAID, key="k3")) == (False, [1], ["m1"])
    assert answer(log.record("alice", other)) == (True, [3], [])


def test_the_expected_version_applies_to_the_remaining_events(log: Turnlog) -> None:
    log.record("alice", SAID)
    assert not log.record("alice", SAID, expected_version=0).new
    with pytest.raises(VersionConflict):
        log.record("alice", SAID, SlotSet("n", 1), expected_version=0)
    assert log.record("alice", SAID, SlotSet("n", 1), expected_version=1).new


def test_the_remaining_events_are_checked(log: Turnlog) -> None:
    log.record("alice", SAID)
    with pytest.raises(InvalidEvent, match=r"SlotSet\.value"):
        log.record("alice", SAID, SlotSet("n", float("nan")))
    nothing: Any = None
    with pytest.raises(InvalidEvent, match="None is not an event"):
        log.record("alice", SAID, nothing)
    assert said(log) == ["a table for two"]


def test_fields_decided_with_the_message_are_not_compared(log: Turnlog) -> None:
    """Rewinds with their targets, and events that a message brings with it."""
    log.record("alice", UserUttered("first"), turnlog.SessionEnded())
    first = log.record("alice", SAID, UserUtteranceReverted())
    again = log.record("alice", SAID, UserUtteranceReverted())
    assert first.new
    assert len(first.events) > 2
    assert again.commits == first.commits
    assert not again.new


def test_a_rewound_message_is_known(log: Turnlog) -> None:
    log.record("alice", SAID)
    log.record("alice", HistoryReplaced(0))
    assert not log.record("alice", SAID).new


def test_the_arguments_of_a_command_are_compared(log: Turnlog) -> None:
    """A framework that repeats itself is not corrected; the message is known."""
    log.record("alice", SAID, SlotSet("n", 1))
    replaced = log.perform("alice", lambda state, past: [HistoryReplaced(0), SAID])
    log.perform("alice", lambda state, past: [UserUttered("again", message_id="m2"), SAID])
    assert (replaced.new, log.conversation("alice").turn) == (True, 4)
    assert answer(log.record("alice", SAID)) == (False, [1], ["m1"])
    assert answer(log.record("alice", UserUttered("?", message_id="m2"))) == (False, [3], ["m2"])


def test_the_messages_of_an_import_are_known(log: Turnlog) -> None:
    events = (SAID, BotUttered("when?"), UserUttered("at six", message_id="m2"), SAID)
    log.import_dialogue(Dialogue("alice", events))
    assert log.conversation("alice").turn == 3
    assert not log.import_dialogue(Dialogue("alice", events)).commits
    log.import_dialogue(Dialogue("alice", (*events, UserUttered("and", message_id="m3"), SAID)))
    for id in ("m1", "m2", "m3"):
        assert not log.record("alice", UserUttered("?", message_id=id)).new


def test_messages_of_an_earlier_life_open_nothing(log: Turnlog) -> None:
    log.record("alice", SAID, SlotSet("n", 1))
    log.record("alice", SAID, SlotSet("n", 2))
    log.delete("alice")
    for events in ([SAID], [SAID, SlotSet("n", 1)], [SAID, SlotSet("n", 2)]):
        assert answer(log.record("alice", *events)) == (False, [], ["m1"])
    with pytest.raises(InvalidEvent, match="was deleted"):
        log.record("alice", SAID, SlotSet("n", 3))
    assert "alice" not in log
    log.record("alice", UserUttered("new", message_id="m2"))
    for events in ([SAID], [SAID, SlotSet("n", 1)], [SAID, SlotSet("n", 2)]):
        assert answer(log.record("alice", *events)) == (False, [], ["m1"])
    assert answer(log.record("alice", SAID, SlotSet("n", 3))) == (True, [2], ["m1"])
    assert said(log) == ["new", 3]


def test_a_fork_does_not_know_its_origins_messages(log: Turnlog) -> None:
    log.record("alice", SAID)
    log.fork("alice", as_="bob")
    assert answer(log.record("bob", SAID, SlotSet("n", 1))) == (True, [2], [])
    assert answer(log.record("bob", SAID, SlotSet("n", 1))) == (False, [2], ["m1"])
    assert not log.record("alice", SAID).new
    assert log.conversation("bob").turn == 2


def test_a_known_message_stays_known_when_the_tables_are_up_to_date(log: Turnlog) -> None:
    log.record("alice", SAID, SlotSet("n", 1), UserUttered("two", message_id="m2"))
    log.record("alice", SAID, SlotSet("n", 2))
    log.current.catch_up()
    log.current.tail.forget()
    assert not log.record("alice", UserUttered("two", message_id="m2")).new
    assert not log.record("alice", SAID, SlotSet("n", 2)).new
    assert log.record("alice", SAID, SlotSet("n", 3)).new


@pytest.mark.parametrize("level", [False, True])
def test_an_erased_message_is_unknown_until_it_is_sent_again(log: Turnlog, level: bool) -> None:
    log.record("alice", SAID)
    log.record("alice", BotUttered("when?"))
    if level:
        log.current.catch_up()
    log.erase("alice", event=1, reason="asked to", actor="carla")
    assert log.record("alice", SAID).new
    assert not log.record("alice", SAID).new
    assert log.conversation("alice").turn == 2


def test_a_value_stored_apart_is_compared_by_its_content(log: Turnlog) -> None:
    """Bytes, and content attached before; also by a name only, as sent over HTTP."""
    said = UserUttered("see", message_id="m1")
    image, other = (MediaAdded("image", content=of * 30_000) for of in (b"PNG", b"PNH"))
    log.record("alice", said, image)
    stored = log.conversation("alice").event(2)
    assert isinstance(stored, MediaAdded)
    assert isinstance(stored.content, Attachment)
    by_hand = MediaAdded("image", content=Attachment(stored.content.name, 90_000))
    for again in (image, MediaAdded("image", content=stored.content), by_hand):
        assert answer(log.record("alice", said, again)) == (False, [1], ["m1"])
    assert [log.record("alice", said, other).new for _ in range(2)] == [True, False]
    large = BotUttered("so", {"page": "x" * 100_000})
    assert [log.record("alice", said, large).new for _ in range(2)] == [True, False]
    with pytest.raises(InvalidEvent, match="missing or incomplete in this log"):
        log.record("alice", said, MediaAdded("image", content=Attachment("0" * 64, 90_000)))


def test_two_logs_that_record_concurrently_store_a_message_once(durable_url: str) -> None:
    with turnlog.open(durable_url) as ours, turnlog.open(durable_url) as theirs:

        def record(number: int) -> bool:
            log = (ours, theirs)[number % 2]
            message = UserUttered("hello", message_id=f"m{number // 16}")
            return log.record("alice", message, SlotSet("by", number % 16)).new

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(record, range(160)))
        assert ours.conversation("alice").turn == 10
        with ThreadPoolExecutor(16) as pool:
            assert not any(pool.map(record, range(160)))
        assert ours.conversation("alice").state.event == 170
        assert verify(ours.store).faults == []
