"""A sealed log: what its files contain, who can open it, what a destroyed key takes (ADR 19)."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent

import turnlog
from tests.parts.postgres import fresh_database
from tests.parts.server import Server
from turnlog import (
    BotUttered,
    EventErased,
    IdentityMerged,
    MediaAdded,
    SlotSet,
    ToolCalled,
    UserIdentified,
    UserUttered,
)
from turnlog.audit.verify import verify
from turnlog.domain.streams import UPKEEP
from turnlog.engine.log import Turnlog
from turnlog.errors import ForkedLog, StorageError
from turnlog.storage.copying import backup

CANARY = b"CANARY"


@pytest.fixture
def keys(tmp_path: Path) -> str:
    folder = tmp_path / "kept apart"
    folder.mkdir()
    return f"sqlite:///{folder}/keys.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "log"
    made.mkdir()
    return made


@pytest.fixture
def url(folder: Path) -> str:
    return f"sqlite:///{folder}/chat.db"


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def plant(log: Turnlog, conversation: str, number: int) -> None:
    """50 canaries of one person: in texts, slots, ids, keys, arguments, names."""
    for turn in range(10):
        name = f"CANARY {number} {turn}"
        log.record(
            conversation,
            UserUttered(f"{name} text", message_id=f"{name} id", name=f"{name} name"),
            SlotSet(f"{name} slot", f"{name} value"),
            ToolCalled("find", {f"{name} argument": [name]}, f"{name} call"),
            BotUttered(f"{name} answer", {"quick_replies": [name]}),
            key=f"{name} key",
        )


def test_the_files_contain_none_of_a_thousand_canaries(url: str, keys: str, folder: Path) -> None:
    with turnlog.open(url, keys=keys) as log:
        for number in range(20):
            plant(log, f"CANARY +49 170 {number}", number)
        log.record("CANARY +49 170 1", UserIdentified("CANARY person", {"CANARY": "trait"}))
        for view in ("slots", "transcript", "session_values", "due_prompts"):
            log.view(view)
        log.current.catch_up()
        assert CANARY not in bytes_in(folder)  # -wal and high-water file too
        assert CANARY not in bytes_in(folder.parent / "kept apart")
        assert len(list(log.ids())) == 20
        assert log.conversation("CANARY +49 170 7").slots["CANARY 7 3 slot"] == "CANARY 7 3 value"
        assert not log.record("CANARY +49 170 7", UserUttered("x"), key="CANARY 7 3 key").new
        assert verify(log.store).faults == []
        backup(log.store.beneath, folder / "before.db")
        log.erase(person="CANARY person", reason="asked to", actor="dpo")
        assert len(list(log.ids())) == 19
        assert log.conversation("CANARY +49 170 7").slots["CANARY 7 3 slot"] == "CANARY 7 3 value"
        assert verify(log.store).faults == []
    assert CANARY not in bytes_in(folder.parent)  # the backup and the key store too
    with turnlog.open(url.replace("chat", "clear")) as log:  # the search finds a clear text
        plant(log, "alice", 1)
    assert CANARY in bytes_in(folder)


def test_a_sealed_log_is_refused_without_its_own_keys(url: str, keys: str, tmp_path: Path) -> None:
    with turnlog.open(url, keys=keys) as log:
        log.record("alice", UserUttered("hi"))
        assert log.keys is not None
        id = log.keys.id.hex()
    with turnlog.open(f"sqlite:///{tmp_path}/other.db", keys=f"sqlite:///{tmp_path}/k.db"):
        pass
    before = bytes_in(tmp_path)
    for given, what in (
        (None, f"is sealed with the key store {id}; name it"),
        (f"sqlite:///{tmp_path}/k.db", f"is sealed with the key store {id}, and this one is"),
        (f"sqlite:///{tmp_path}/absent.db", "key store does not exist"),
        (f"sqlite:///{tmp_path}/other.db", "is not a key store"),
    ):
        for readonly in (False, True):
            with pytest.raises(StorageError, match=what):
                turnlog.open(url, keys=given, readonly=readonly)
    assert bytes_in(tmp_path) == before
    with turnlog.open(url, keys=keys, readonly=True) as log:
        assert [e.text for e in log.read_events("alice") if isinstance(e, UserUttered)] == ["hi"]


def test_a_log_in_clear_is_not_opened_with_keys(url: str, keys: str) -> None:
    with turnlog.open(url) as log:
        log.record("alice", UserUttered("hi"))
    with pytest.raises(StorageError, match="not sealed and contains 1 commit"):
        turnlog.open(url, keys=keys)


def test_values_sealed_under_a_destroyed_key_read_as_erased(url: str, keys: str) -> None:
    with turnlog.open(url, keys=keys) as log:
        log.record("a", UserUttered("who am I?"))
        log.record("a", UserIdentified("ann"), UserUttered("I am Ann"))
        log.record("b", UserIdentified("ann"), SlotSet("name", "Ann"), key="k")
        log.record("c", UserIdentified("bob"), UserUttered("I am Bob"))
        bob = log.conversation("c").state
        assert log.keys is not None
        log.keys.destroy(log.keys.subjects_of("ann"))
        assert list(log.ids()) == ["c"]
        assert log.conversation("c").state == bob
        rows = [row for row in log.store.reader.tail(0, 99) if row.stream]
        said = {row.position: row.commit().events for row in rows}
        assert all(isinstance(event, EventErased) for n in (2, 3, 4) for event in said[n])
        assert [row.name is None for row in rows] == [False, True, True, True, False]


def test_one_person_of_a_group_is_erased_and_the_others_stay(url: str, keys: str) -> None:
    with turnlog.open(url, keys=keys) as log:
        log.record("group", UserIdentified("ann"), UserUttered("Ann here"), SlotSet("a", 1))
        log.record("group", UserIdentified("bob"), UserUttered("Bob here"), SlotSet("b", 2))
        log.record("group", UserIdentified("ann"), UserUttered("hi"), UserIdentified("bob"))
        assert log.keys is not None
        log.keys.destroy(log.keys.subjects_of("ann"))
        rows = log.store.reader.tail(1, 99)
        kinds = [[type(event).__name__ for event in row.commit().events] for row in rows]
        erased = "EventErased"
        assert kinds == [
            [erased] * 3,
            ["UserIdentified", "UserUttered", "SlotSet"],
            [erased, erased, "UserIdentified"],
        ]
        assert {row.conversation for row in rows} == {"group"}


def test_merged_names_are_erased_together(url: str, keys: str) -> None:
    with turnlog.open(url, keys=keys) as log:
        log.record("mail", UserIdentified("ann@example.org"), UserUttered("by mail"))
        log.record("phone", UserIdentified("+49"), UserUttered("by phone"))
        log.record("phone", IdentityMerged("+49", "ann@example.org"))
        assert log.keys is not None
        of_one = {*log.keys.subjects_of("+49")}
        assert of_one == {*log.keys.subjects_of("ann@example.org")}
        assert of_one >= {*log.keys.subjects_in("mail"), *log.keys.subjects_in("phone")}


def test_another_process_notices_that_a_key_is_gone(url: str, keys: str) -> None:
    with turnlog.open(url, keys=keys) as log, turnlog.open(url, keys=keys) as other:
        log.record("a", UserIdentified("ann"), UserUttered("hi"), SlotSet("name", "Ann"))
        assert other.conversation("a").slots == {"name": "Ann"}
        assert log.keys is not None
        log.keys.destroy(log.keys.subjects_of("ann"))
        with pytest.raises(StorageError):  # it does not continue from its cache
            other.record("a", UserUttered("and on"))
        assert "a" not in other
        assert log.store.reader.last_position() == 2


def test_the_log_names_its_key_store_in_clear(url: str, keys: str) -> None:
    with turnlog.open(url, keys=keys) as log:
        assert log.keys is not None
        [event] = log.history(UPKEEP).events()
        assert event == turnlog.KeyStoreUsed(log.keys.id.hex(), timestamp=event.timestamp)


def test_rotating_keys_writes_no_row(url: str, keys: str, folder: Path) -> None:
    with turnlog.open(url, keys=keys) as log, turnlog.open(url, keys=keys) as other:
        log.record("a", UserIdentified("ann"), UserUttered("hi"))
        assert "a" in other
        position = log.store.reader.last_position()
        assert log.keys is not None
        assert log.keys.rotate() == 3  # one of the log's own stream, two of a
        other.record("a", UserUttered("again"))
        assert log.store.reader.last_position() == position + 1
    with turnlog.open(url, keys=keys) as log:
        assert len(log.read_events("a")) == 3


def test_the_data_folder_of_postgresql_contains_no_canary(
    postgres: Server, postgres_url: str, keys: str
) -> None:
    with turnlog.open(postgres_url, keys=keys) as log:
        for number in range(4):
            plant(log, f"CANARY +49 170 {number}", number)
        log.view("transcript")
        log.current.catch_up()
        assert len(list(log.ids())) == 4
        assert CANARY not in bytes_in(postgres.folder / "data")
        assert verify(log.store).faults == []
    with pytest.raises(StorageError, match="is sealed"):
        turnlog.open(postgres_url)
    assert CANARY not in bytes_in(postgres.folder / "data")
    with turnlog.open(fresh_database(postgres.url)) as log:  # the search finds a clear text
        log.record("alice", UserUttered("a FOUND one"))
    assert b"a FOUND one" in bytes_in(postgres.folder / "data")


def test_keys_in_postgresql_are_destroyed_and_rotated(url: str, postgres_url: str) -> None:
    with turnlog.open(url, keys=postgres_url) as log, turnlog.open(url, keys=postgres_url) as two:
        log.record("a", UserIdentified("ann"), UserUttered("hi"))
        log.record("b", UserIdentified("bob"), UserUttered("hi"))
        assert list(two.ids()) == sorted(["a", "b"], key=log.store.order)
        assert log.keys is not None
        log.keys.rotate()
        log.keys.destroy(log.keys.subjects_of("ann"))
        assert list(two.ids()) == ["b"]
        two.record("b", UserUttered("again"))
    with turnlog.open(url, keys=postgres_url) as log:
        assert len(log.read_events("b")) == 3


def test_attachments_are_sealed(url: str, keys: str, folder: Path) -> None:
    film = b"CANARY film " * 20_000
    with turnlog.open(url, keys=keys) as log:
        ahead = log.attach("alice", BytesIO(film))
        shown = MediaAdded("video", content=ahead, actor="user")
        log.record("alice", UserIdentified("ann"), shown)
        log.record("alice", MediaAdded("video", content=film[::-1], actor="user"))
        log.record("alice", BotUttered("CANARY text " * 10_000))
        log.record("bob", UserUttered("hi"))
        contents = [e.content for e in log.read_events("alice") if isinstance(e, MediaAdded)]
        assert [bytes(held) for held in contents if held is not None] == [film, film[::-1]]
        assert verify(log.store).faults == []
        assert not [mark for mark in (CANARY, CANARY[::-1]) if mark in bytes_in(folder)]
        backup(log.store.beneath, folder / "copy.db")
        assert log.keys is not None
        log.keys.destroy(log.keys.subjects_of("ann"))
        assert list(log.ids()) == ["bob"]
    with turnlog.open(f"sqlite:///{folder}/copy.db", keys=keys) as copy:
        assert list(copy.ids()) == ["bob"]
        assert len(copy.store.reader.attachment_names()) == 2


def test_a_fork_is_sealed_and_reads_its_past(url: str, keys: str) -> None:
    with turnlog.open(url, keys=keys) as log:
        log.record("a", UserIdentified("ann"), UserUttered("one"), SlotSet("name", "Ann"))
        log.record("b", UserIdentified("bob"), UserUttered("hi"))
        log.fork("a", as_="c", reason="to see")
        log.record("c", UserUttered("two"))
        assert log.conversation("c").slots == {"name": "Ann"}
        assert verify(log.store).faults == []
        assert log.keys is not None
        assert {*log.keys.subjects_of("ann")} >= {*log.keys.subjects_in("c")}
        log.keys.destroy(log.keys.subjects_of("ann"))
        assert list(log.ids()) == ["b"]


def test_a_log_opened_empty_and_without_keys_does_not_write_once_it_is_sealed(
    url: str, keys: str
) -> None:
    with turnlog.open(url) as clear:
        with turnlog.open(url, keys=keys) as log:
            log.record("a", UserUttered("hi"))
        with pytest.raises(StorageError, match="sealed"):
            clear.record("a", UserUttered("in clear"))


def test_two_key_stores_cannot_begin_one_log(url: str, keys: str, tmp_path: Path) -> None:
    another = f"sqlite:///{tmp_path}/another.db"
    with turnlog.open(url, keys=keys), turnlog.open("memory:", keys=another):
        pass
    with pytest.raises(StorageError, match="is sealed with the key store"):
        turnlog.open(url, keys=another)


def test_a_log_that_another_application_began_is_not_sealed(url: str, keys: str) -> None:
    with turnlog.open(url) as log:
        log.recorder.insert_events([StoredEvent("1", 0, "a.topic", b"state")])
    with turnlog.open(url) as log:
        log.record("a", UserUttered("hi"))
    with pytest.raises(StorageError, match="not sealed and contains 2 commits"):
        turnlog.open(url, keys=keys)


def test_rows_of_another_application_are_sealed(url: str, keys: str, folder: Path) -> None:
    with turnlog.open(url, keys=keys) as log:
        log.recorder.insert_events([StoredEvent("CANARY 1", 0, "a.topic", b"CANARY")])
        log.recorder.insert_events([StoredEvent("CANARY 1", 1, "a.topic", b"CANARY 2")])
        assert CANARY not in bytes_in(folder)
        found = log.recorder.select_events("CANARY 1")
        assert [event.state for event in found] == [b"CANARY", b"CANARY 2"]
        assert verify(log.store).faults == []


def test_a_fork_of_the_process_is_refused_and_the_parent_continues(url: str, keys: str) -> None:
    with turnlog.open(url, keys=keys) as log:
        log.record("a", UserUttered("hi"))
        read, write = os.pipe()
        if (child := os.fork()) == 0:
            try:
                log.record("a", UserUttered("in the child"))
            except ForkedLog:
                os.write(write, b"refused")
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 99) == b"refused"
        os.close(read)
        os.close(write)
        log.record("a", UserIdentified("ann"), UserUttered("again"))
        assert len(log.read_events("a")) == 3


def test_reading_changes_no_byte_of_log_and_key_store(url: str, keys: str, folder: Path) -> None:
    with turnlog.open(url, keys=keys) as log:
        log.record("a", UserUttered("hi"))
    before = bytes_in(folder.parent)
    with turnlog.open(url, keys=keys, readonly=True) as log:
        assert len(log.read_events("a")) == 1
    assert bytes_in(folder.parent) == before
