"""Given a log of several people, when one is erased, then nothing of theirs is left, and the rest
is as it was.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import turnlog
from turnlog import BotUttered, IdentityMerged, SlotSet, ToolCalled, UserIdentified, UserUttered
from turnlog.audit.verify import verify
from turnlog.domain.events import ErasureRecorded, EventErased
from turnlog.domain.streams import UPKEEP
from turnlog.encoding import binary
from turnlog.engine.log import Turnlog
from turnlog.errors import InvalidEvent, OutOfRange, UnknownConversation, UnknownPerson
from turnlog.projections import PROJECTIONS, catch_up

WHY = {"reason": "asked to", "actor": "dpo"}


@pytest.fixture
def log(url: str) -> Iterator[Turnlog]:
    with turnlog.open(url) as log:
        yield log


def fill(log: Turnlog) -> None:
    """Anna in a chat under her number, in one under another name and in a group; Ben in two."""
    log.record("+4915", UserIdentified("anna"), UserUttered("secret one", message_id="secret-1"))
    log.record("+4915", SlotSet("phone", "secret +4915"), ToolCalled("book", {"for": "secret"}))
    log.record("web-7", UserIdentified("web"), IdentityMerged("web", "anna"))
    log.record("web-7", UserUttered("secret two"), BotUttered("hello secret"))
    log.record("group", UserIdentified("anna"), UserUttered("secret hello"), SlotSet("a", "secret"))
    log.record("group", UserIdentified("ben"), UserUttered("hello"), SlotSet("b", "ben's"))
    for n in range(3):
        log.record("ben", UserIdentified("ben"), UserUttered(f"ben {n}"), SlotSet("n", n))
    catch_up(log.store, PROJECTIONS.values())


def state_of(log: Turnlog, id: str) -> bytes:
    return binary.encode_state(log.conversation(id).state)


def test_a_person_goes_from_every_conversation_and_everybody_else_stays(log: Turnlog) -> None:
    fill(log)
    before = state_of(log, "ben")
    erased = log.erase(person="anna", **WHY)
    assert (erased.conversations, erased.shared, erased.events) == (2, 1, 3)
    assert [*log.ids()] == ["ben", "group"]
    assert state_of(log, "ben") == before
    assert log.conversation("group").slots == {"b": "ben's"}
    assert log.conversation("group").turn == 2
    assert verify(log.store).faults == []
    with pytest.raises(UnknownPerson):
        log.erase(person="anna", **WHY)


def test_what_was_erased_reads_as_its_type_alone(log: Turnlog) -> None:
    fill(log)
    log.erase(person="anna", **WHY)
    events = log.read_events("group")
    assert events[:3] == [
        EventErased(name) for name in ("UserIdentified", "UserUttered", "SlotSet")
    ]
    assert [type(event).__name__ for event in events[3:]] == [
        "UserIdentified", "UserUttered", "SlotSet", "ContentErased",
    ]  # fmt: skip


def test_a_merged_name_is_followed_both_ways(log: Turnlog) -> None:
    fill(log)
    log.erase(person="web", **WHY)
    assert [*log.ids()] == ["ben", "group"]


def test_the_record_names_nobody(log: Turnlog) -> None:
    fill(log)
    log.erase(person="anna", **WHY)
    [record] = [e for e in log.history(UPKEEP).events() if isinstance(e, ErasureRecorded)]
    assert (record.reason, record.actor, len(record.streams)) == ("asked to", "dpo", 2)
    said = repr(record)
    assert not any(name in said for name in ("anna", "web", "+4915"))


@pytest.mark.parametrize(
    "words", [{"reason": "Anna asked", "actor": "dpo"}, {"reason": "asked", "actor": "anna"}]
)
def test_a_reason_that_names_the_person_is_refused(log: Turnlog, words: dict[str, str]) -> None:
    fill(log)
    with pytest.raises(InvalidEvent, match="names what is erased"):
        log.erase(person="anna", **words)
    assert "+4915" in log


def test_an_id_that_names_nobody_is_the_person(log: Turnlog) -> None:
    log.record("+491", UserUttered("hello"))
    log.record("ben", UserUttered("hello"))
    log.erase(person="+491", **WHY)
    assert [*log.ids()] == ["ben"]


def test_one_event_goes_and_its_neighbours_stay(log: Turnlog) -> None:
    log.record("a", UserUttered("my number is 555", message_id="m1"), SlotSet("n", 1))
    log.record("a", UserUttered("and on"))
    log.erase("a", event=1, **WHY)
    assert [type(event).__name__ for event in log.read_events("a")] == [
        "EventErased", "SlotSet", "UserUttered", "ContentErased",
    ]  # fmt: skip
    assert log.conversation("a").turn == 2
    assert verify(log.store).faults == []
    with pytest.raises(InvalidEvent, match="erased already"):
        log.erase("a", event=1, **WHY)
    with pytest.raises(OutOfRange):
        log.erase("a", event=9, **WHY)


def test_every_life_of_a_conversation_goes(log: Turnlog) -> None:
    log.record("a", UserUttered("secret"))
    log.delete("a")
    log.record("a", UserUttered("secret again"))
    log.erase("a", **WHY)
    assert "a" not in log
    assert verify(log.store).faults == []
    assert log.record("a", UserUttered("somebody new")).state.turn == 1
    with pytest.raises(UnknownConversation):
        log.erase("nobody", **WHY)


def test_a_deleted_conversation_is_erased_by_person_too(log: Turnlog) -> None:
    fill(log)
    log.delete("web-7")
    assert log.erase(person="anna", **WHY).conversations == 2
    assert verify(log.store).faults == []
