"""Given a log of several people, when one is erased, then nothing of theirs is left, and the rest
is unchanged.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent

import turnlog
from tests.command_line import run
from turnlog import (
    BotUttered,
    Dialogue,
    IdentityMerged,
    MediaAdded,
    MessageRedacted,
    SlotSet,
    ToolCalled,
    UserIdentified,
    UserUttered,
)
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.domain.events import (
    ContentErased,
    ConversationExported,
    ErasureRecorded,
    EventErased,
    ForeignRecorded,
    HoldPlaced,
)
from turnlog.domain.streams import UPKEEP
from turnlog.encoding import binary
from turnlog.engine.eventsourcing import StoredEventRecorder
from turnlog.engine.log import Turnlog
from turnlog.errors import Held, InvalidEvent, OutOfRange, UnknownConversation, UnknownPerson
from turnlog.projections import PROJECTIONS, catch_up

WHY: dict[str, Any] = {"reason": "asked to", "actor": "dpo"}


@pytest.fixture(params=["clear", "sealed"])
def log(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Turnlog]:
    keys = f"sqlite:///{tmp_path}/keys.db" if request.param == "sealed" else None
    with turnlog.open(url, keys=keys) as log:
        yield log


def fill(log: Turnlog) -> None:
    """Anna in a chat under her number, in one under another name and in a group; Ben in two."""
    log.record("+4915", UserIdentified("anna"), UserUttered("canary one", message_id="canary-1"))
    log.record("+4915", SlotSet("phone", "canary +4915"), ToolCalled("book", {"for": "canary"}))
    log.record("web-7", UserIdentified("web"), IdentityMerged("web", "anna"))
    log.record("web-7", UserUttered("canary two"), BotUttered("hello canary"))
    log.record("group", UserIdentified("anna"), UserUttered("canary hello"), SlotSet("a", "canary"))
    log.record("group", UserIdentified("ben"), UserUttered("hello"), SlotSet("b", "ben's"))
    for n in range(3):
        log.record("ben", UserIdentified("ben"), UserUttered(f"ben {n}"), SlotSet("n", n))
    catch_up(log.store, PROJECTIONS.values())


def state_of(log: Turnlog, id: str) -> bytes:
    return binary.encode_state(log.conversation(id).state)


def test_a_person_is_erased_from_every_conversation_and_everyone_else_stays(log: Turnlog) -> None:
    fill(log)
    before = state_of(log, "ben")
    erased = log.erase(person="anna", **WHY)
    assert (erased.conversations, erased.shared, erased.events) == (2, 1, 3)
    assert sorted(log.ids()) == ["ben", "group"]
    assert state_of(log, "ben") == before
    assert log.conversation("group").slots == {"b": "ben's"}
    assert log.conversation("group").turn == 2
    assert verify(log.store).faults == []
    with pytest.raises(UnknownPerson):
        log.erase(person="anna", **WHY)


def test_an_erased_event_reads_as_its_type_only(log: Turnlog) -> None:
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
    assert sorted(log.ids()) == ["ben", "group"]


def test_the_record_names_no_person(log: Turnlog) -> None:
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
    with pytest.raises(InvalidEvent, match="contains the name of the person"):
        log.erase(person="anna", **words)
    assert "+4915" in log


def test_an_id_without_identification_is_the_person(log: Turnlog) -> None:
    log.record("+491", UserUttered("hello"))
    log.record("ben", UserUttered("hello"))
    log.erase(person="+491", **WHY)
    assert sorted(log.ids()) == ["ben"]


def test_one_event_is_erased_and_its_neighbours_stay(log: Turnlog) -> None:
    log.record("a", UserUttered("my number is 555", message_id="m1"), SlotSet("n", 1))
    log.record("a", UserUttered("and on"))
    log.erase("a", event=1, **WHY)
    assert [type(event).__name__ for event in log.read_events("a")] == [
        "EventErased", "SlotSet", "UserUttered", "ContentErased",
    ]  # fmt: skip
    assert log.conversation("a").turn == 2
    assert verify(log.store).faults == []
    with pytest.raises(InvalidEvent, match="event 1 is already erased"):
        log.erase("a", event=1, **WHY)
    with pytest.raises(OutOfRange):
        log.erase("a", event=9, **WHY)


def test_every_life_of_a_conversation_is_erased(log: Turnlog) -> None:
    log.record("a", UserUttered("canary"))
    log.delete("a")
    log.record("a", UserUttered("canary again"))
    log.erase("a", **WHY)
    assert "a" not in log
    assert verify(log.store).faults == []
    assert log.record("a", UserUttered("somebody new")).state.turn == 1
    with pytest.raises(UnknownConversation):
        log.erase("unknown", **WHY)


def test_a_deleted_conversation_is_erased_by_person(log: Turnlog) -> None:
    fill(log)
    log.delete("web-7")
    assert log.erase(person="anna", **WHY).conversations == 2
    assert verify(log.store).faults == []


# --- what comes back, and what is kept ------------------------------------------------------------


def test_an_import_does_not_bring_back_an_erased_person(log: Turnlog, tmp_path: Path) -> None:
    fill(log)
    log.erase(person="anna", **WHY)
    before = log.digest(log.store.reader.last_position())
    canary = (UserUttered("canary"),)
    names = {"+4915": canary, "by-name": (UserIdentified("anna"), *canary), "web": canary}
    for id, events in names.items():
        with pytest.raises(InvalidEvent, match="was erased, and an import does not"):
            log.import_dialogue(Dialogue(id, events))
    assert log.digest(log.store.reader.last_position()) == before
    log.import_dialogue(Dialogue("carl", (UserIdentified("carl"), *canary)))


def test_a_file_with_an_erased_id_is_refused_by_name(tmp_path: Path) -> None:
    db, file = f"sqlite:///{tmp_path}/log.db", tmp_path / "out.jsonl"
    with turnlog.open(db) as log:
        fill(log)
    assert run("export", "--db", db, "--format", "jsonl", "--out", file).status == 0
    assert (
        run(
            *["erase", "--person", "anna", "--reason", "asked", "--actor", "dpo"], "--db", db
        ).status
        == 0
    )
    for dry in ((), ("--dry-run",)):
        ran = run("import", file, "--db", db, "--json", *dry)
        assert ran.status == 2
        refused = {each["conversation"]: each["why"] for each in ran.json["refused"]}
        assert set(refused) == {"+4915", "web-7", "group"}
        assert "was erased" in refused["+4915"]
        assert "was erased" in refused["web-7"]


def test_an_erased_person_who_writes_again_is_a_new_person(log: Turnlog) -> None:
    fill(log)
    log.erase(person="anna", **WHY)
    log.record("+4915", UserIdentified("anna"), UserUttered("hello"))
    assert log.conversation("+4915").turn == 1
    assert verify(log.store).faults == []
    assert log.erase(person="anna", **WHY).conversations == 1


def test_a_hold_protects_a_conversation_and_names_its_holder(log: Turnlog) -> None:
    fill(log)
    log.hold("+4915", reason="case 7", actor="legal")
    with pytest.raises(Held, match=r"held by legal since .* UTC: case 7"):
        log.erase("+4915", **WHY)
    erased = log.erase(person="anna", **WHY)
    assert sorted(log.ids()) == ["+4915", "ben", "group"]
    assert list(erased.kept) == ["+4915"]
    [record] = [e for e in log.history(UPKEEP).events() if isinstance(e, ErasureRecorded)]
    assert len(record.held) == 1
    log.release("+4915", reason="closed", actor="legal")
    log.erase("+4915", **WHY)
    assert sorted(log.ids()) == ["ben", "group"]
    with pytest.raises(UnknownConversation):
        log.hold("unknown", reason="case 8", actor="legal")
    with pytest.raises(InvalidEvent, match="contains the name of the person"):
        log.hold("group", reason="the group's case", actor="legal")


def test_a_hold_on_a_person_protects_all_their_conversations(log: Turnlog) -> None:
    fill(log)
    log.hold(person="web", reason="case 7", actor="legal")
    for what in ({"person": "anna"}, {"id": "web-7"}, {"id": "group", "event": 2}):
        with pytest.raises(Held, match="case 7"):
            log.erase(**what, **WHY)
    log.release(person="anna", reason="closed", actor="legal")
    with pytest.raises(Held, match="no hold"):
        log.release(person="anna", reason="closed", actor="legal")
    assert log.erase(person="anna", **WHY).conversations == 2


def test_only_the_log_records_holds_and_erasures(log: Turnlog) -> None:
    for event in (HoldPlaced("mine"), ContentErased(1), ErasureRecorded("mine", "person")):
        with pytest.raises(InvalidEvent):
            log.record("a", event)


# --- forks, redactions, others' memory ------------------------------------------------------------


def test_an_erasure_reaches_into_forks(log: Turnlog) -> None:
    log.record("a", UserUttered("canary"), SlotSet("s", "canary"))
    log.record("a", UserUttered("more"))
    log.fork("a", as_="b", turn=1)
    log.fork("b", as_="c")
    log.record("b", UserUttered("b's own"), SlotSet("own", 1))
    catch_up(log.store, PROJECTIONS.values())
    log.erase("a", **WHY)
    assert sorted(log.ids()) == ["b", "c"]
    assert log.conversation("b").slots == {"own": 1}
    assert log.conversation("c").slots == {}
    assert verify(log.store).faults == []
    log.erase("b", **WHY)
    assert verify(log.store).faults == []
    assert log.record("c", UserUttered("and on")).state.turn == 2
    assert verify(log.store).faults == []


def test_a_fork_of_a_persons_conversation_is_erased_with_it(log: Turnlog) -> None:
    log.record("a", UserIdentified("anna"), UserUttered("canary"))
    log.fork("a", as_="b")
    log.record("b", UserUttered("canary"))
    log.erase(person="anna", **WHY)
    assert sorted(log.ids()) == []
    assert verify(log.store).faults == []


def test_a_frameworks_record_of_an_event_is_erased_with_it(log: Turnlog) -> None:
    def kept(text: str) -> ForeignRecorded:
        return ForeignRecorded("langgraph", "checkpoint", b'{"values": ["%s"]}' % text.encode())

    log.record("alice", UserUttered("first"), kept("first"), kept("a canary"))
    log.record("alice", UserUttered("a canary"), kept("a canary"), SlotSet("n", 1))
    log.fork("alice", turn=1, as_="earlier")
    log.fork("alice", as_="later")
    log.record("later", kept("a canary"), kept("first"))
    log.erase("alice", event=4, **WHY)
    for id, bodies in ("alice", 1), ("earlier", 1), ("later", 2):
        events = list(log.conversation(id).events())
        foreign = [event.body for event in events if isinstance(event, ForeignRecorded)]
        assert foreign == [kept("first").body] * bodies
    assert log.conversation("alice").slots == {"n": 1}
    assert verify(log.store).ok


def test_a_masked_word_stays_hidden_after_an_erasure(log: Turnlog) -> None:
    log.record("a", UserUttered("my number is 555-12345"), SlotSet("phone", "555-12345"))
    log.record("a", MessageRedacted(1))
    log.record("a", BotUttered("calling 555-12345"), UserUttered("thanks"))
    log.erase("a", event=1, **WHY)
    assert not any("555-12345" in repr(event) for event in log.history("a").events())
    assert any("thanks" in repr(event) for event in log.read_events("a"))
    assert verify(log.store).faults == []


def test_another_process_drops_its_memory_of_an_erased_person(url: str) -> None:
    if url == "memory:":
        pytest.skip("one process alone has it")
    with turnlog.open(url) as one, turnlog.open(url) as other:
        fill(one)
        assert other.conversation("+4915").slots
        assert other.conversation("group").slots["a"] == "canary"
        one.erase(person="anna", vacuum="no", **WHY)
        assert "+4915" not in other
        assert other.conversation("group").slots == {"b": "ben's"}
        assert other.record("+4915", UserUttered("new")).state.turn == 1
        other.record("group", UserUttered("and on"))
        other.current.catch_up()
        assert verify(one.store).faults == []


def test_a_writer_with_outdated_memory_begins_a_new_conversation(url: str) -> None:
    if url == "memory:":
        pytest.skip("one process alone has it")
    with turnlog.open(url) as one, turnlog.open(url) as other:
        other.record("a", UserUttered("canary"))
        other.record("a", UserUttered("canary too"))
        one.erase("a", vacuum="no", **WHY)
        assert other.record("a", UserUttered("new")).state.turn == 1
        assert verify(one.store).faults == []


def test_attachments_are_erased_with_the_events_that_name_them(log: Turnlog) -> None:
    for id in ("a", "b"):
        log.record(id, UserUttered("look"), MediaAdded("image", content=bytes(100_000)))
    log.erase("a", **WHY)
    assert len(log.store.reader.attachment_names()) == 1
    log.erase("b", event=2, **WHY)
    assert log.store.reader.attachment_names() == []
    assert verify(log.store).faults == []


# --- no byte is left ------------------------------------------------------------------------------


def plant(log: Turnlog) -> None:
    """A thousand words of Anna's in twenty conversations, five of which are shared with Ben."""
    for n in range(20):
        id = f"group-{n}" if n % 4 == 0 else f"CANARY-+49151{n:04}"
        for turn in range(10):
            log.record(id, UserIdentified("CANARY-anna"))
            said = UserUttered(
                f"CANARY-{n}-{turn}", message_id=f"CANARY-m{turn}", actor="CANARY-anna"
            )
            log.record(id, said, SlotSet("phone", f"CANARY-s{turn}"))
            called = ToolCalled("book", {"for": [f"CANARY-a{turn}"]}, call_id=f"c{turn}")
            log.record(id, called, BotUttered(f"hello CANARY-b{turn}"))
            if n % 4 == 0:
                log.record(
                    id, UserIdentified("ben"), UserUttered(f"ben {turn}"), SlotSet("n", turn)
                )
    for turn in range(300):
        log.record("ben", UserIdentified("ben"), UserUttered(f"ben {turn}"), SlotSet("n", turn))
    catch_up(log.store, PROJECTIONS.values())
    log.current.catch_up()


def test_no_byte_of_a_thousand_canaries_is_left_in_a_sqlite_log(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url) as log:
        plant(log)
        before = state_of(log, "ben")
        assert found_in(tmp_path) >= 1000
        erased = log.erase(person="CANARY-anna", **WHY)
        assert (erased.conversations, erased.shared, erased.vacuumed) == (15, 5, True)
        assert found_in(tmp_path) == 0
        assert state_of(log, "ben") == before
        assert all(log.conversation(f"group-{n}").slots == {"n": 9} for n in range(0, 20, 4))
        assert verify(log.store).faults == []
    assert found_in(tmp_path) == 0


def test_no_byte_is_left_when_others_have_the_log_open(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    with turnlog.open(url) as other, turnlog.open(url, readonly=True) as reading:
        plant(other)
        assert reading.conversation("ben").turn == 300
        with turnlog.open(url) as log:
            assert log.erase(person="CANARY-anna", **WHY).vacuumed
        assert found_in(tmp_path) == 0
        assert reading.conversation("ben").turn == 300
        other.record("ben", UserUttered("and on"))
        assert sorted(reading.ids()) == sorted(other.ids())
    assert found_in(tmp_path) == 0


def test_bytes_that_a_reader_keeps_are_named_and_cleared_later(
    tmp_path: Path,
) -> None:
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}?timeout=0.2") as log:
        fill(log)
        with closing(sqlite3.connect(path)) as long, long:
            long.execute("BEGIN")
            long.execute("SELECT count(*) FROM rows_t1").fetchall()
            assert not log.erase(person="anna", **WHY).vacuumed
            assert "+4915" not in log
            [fault] = verify(log.store).faults
            assert "may be left in free space" in fault.what
    with turnlog.open(f"sqlite:///{path}") as log:
        assert verify(log.store).faults == []
        assert not any(b"canary" in file.read_bytes() for file in tmp_path.iterdir())


def found_in(folder: Path) -> int:
    return sum(path.read_bytes().count(b"CANARY") for path in folder.iterdir())


def test_no_byte_is_left_in_the_tables_of_postgresql(postgres_url: str) -> None:
    with turnlog.open(postgres_url) as log:
        plant(log)
        assert in_tables(postgres_url) >= 1000
        log.erase(person="CANARY-anna", vacuum="full", **WHY)
        assert in_tables(postgres_url) == 0
        assert verify(log.store).faults == []


def in_tables(url: str) -> int:
    """The number of times the word occurs in the files of all tables and indexes."""
    import psycopg

    paths = """SELECT pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_namespace n
        ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'i', 't')
        AND (c.relname LIKE 'turnlog%' OR n.nspname = 'pg_toast')
        AND pg_relation_size(c.oid) > 0"""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        found = connection.execute(paths).fetchall()
        read = [
            connection.execute("SELECT pg_read_binary_file(%s)", path).fetchone() for path in found
        ]
        return sum(row[0].count(b"CANARY") for row in read if row)


# --- recipients of exports ------------------------------------------------------------------------


def test_an_erasure_names_the_recipients_of_exports(tmp_path: Path) -> None:
    db, out = f"sqlite:///{tmp_path}/log.db", tmp_path / "out.jsonl"
    with turnlog.open(db) as log:
        fill(log)
    asked = ("export", "--db", db, "--format", "jsonl", "--out", out)
    assert run(*asked, "ben", "--to", "Clinic 3").status == 0
    assert run(*asked, "--to", "Lab 7").status == 0
    manifest = json.loads((tmp_path / "out.jsonl.manifest.json").read_bytes())
    assert run(*asked, "--to", "in secret", "--unrecorded").status == 0
    assert json.loads((tmp_path / "out.jsonl.manifest.json").read_bytes())["export"] is None
    with turnlog.open(db) as log:
        exports = [e for e in log.history(UPKEEP).events() if isinstance(e, ConversationExported)]
        assert [(e.recipient, len(e.streams)) for e in exports] == [
            ("Clinic 3", 1), ("Lab 7", 4),
        ]  # fmt: skip
        assert exports[1].export == manifest["export"]
        erased = log.erase(person="anna", **WHY)
        assert [export["recipient"] for export in erased.exports] == ["Lab 7"]
        assert verify(log.store).faults == []


# --- other inputs of the same kind ----------------------------------------------------------------


def parts_of(log: Turnlog) -> bytes:
    """Everything stored of what was said."""
    return b"".join(row.parts for row in log.store.reader.tail(0, 1000))


def test_rows_of_other_applications_are_erased_with_their_id(log: Turnlog) -> None:
    stored = [StoredEvent("+4915", n, "app:Order", b"canary") for n in range(2)]
    StoredEventRecorder(log.store, log.current).insert_events(stored)
    log.record("ben", UserUttered("hello"))
    log.erase("+4915", **WHY)
    assert b"canary" not in parts_of(log)
    assert verify(log.store).faults == []


def test_a_persons_words_in_an_earlier_life_are_erased_and_the_current_life_stays(
    log: Turnlog,
) -> None:
    log.record("a", UserIdentified("anna"), UserUttered("canary"), UserIdentified("ben"))
    log.delete("a")
    log.record("a", UserIdentified("ben"), UserUttered("again"))
    log.erase(person="anna", **WHY)
    assert b"canary" not in parts_of(log)
    assert [type(event).__name__ for event in log.read_events("a")] == [
        "UserIdentified", "UserUttered", "ContentErased",
    ]  # fmt: skip
    assert verify(log.store).faults == []
    with pytest.raises(UnknownPerson):
        log.erase(person="anna", **WHY)


def test_an_id_that_is_the_persons_is_erased_where_others_take_part(log: Turnlog) -> None:
    log.record("+4915", UserIdentified("+4915"), UserUttered("canary"))
    log.record("+4915", UserIdentified("ben"), UserUttered("ben's own"))
    log.erase(person="+4915", **WHY)
    assert "+4915" not in log
    assert b"canary" not in parts_of(log)
    assert verify(log.store).faults == []
    log.erase(person="ben", **WHY)
    assert b"ben's own" not in parts_of(log)
    assert verify(log.store).faults == []


def test_derived_tables_can_be_rebuilt_after_an_erasure(log: Turnlog) -> None:
    fill(log)
    log.erase(person="anna", **WHY)
    rebuild(log.store)
    assert verify(log.store).faults == []
    assert log.conversation("group").slots == {"b": "ben's"}
    with pytest.raises(UnknownPerson):
        log.erase(person="anna", **WHY)
