"""A key store: whose keys it has, and that its files contain no destroyed key."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from turnlog.domain.subjects import (
    CONVERSATION,
    EVERYBODY,
    PERSON,
    UNIDENTIFIED,
    Subject,
)
from turnlog.errors import StorageError
from turnlog.keys.sqlite import SqliteKeyTables
from turnlog.keys.store import KeyStore
from turnlog.keys.urls import key_store

UNKNOWN, ITSELF = Subject(UNIDENTIFIED), Subject(CONVERSATION)
EVERYONE = Subject(EVERYBODY)
ANN, BOB = Subject(PERSON, "ann"), Subject(PERSON, "bob")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[KeyStore]:
    store = key_store(f"sqlite:///{tmp_path}/keys.db", create=True)
    yield store
    store.close()


def of(store: KeyStore, conversation: str, *asked: Subject) -> set[bytes]:
    store.made({conversation: asked})
    return {*store.known(conversation, asked)}


def test_a_subject_is_made_once(store: KeyStore) -> None:
    assert of(store, "a", ANN) == of(store, "a", ANN)
    assert of(store, "a", ANN).isdisjoint(of(store, "b", ANN))
    assert {*store.subjects_of("ann")} == of(store, "a", ANN) | of(store, "b", ANN)


def test_the_unidentified_subject_belongs_to_the_first_person_identified(store: KeyStore) -> None:
    whole = of(store, "a", UNKNOWN, ITSELF, ANN)
    assert {*store.subjects_of("ann")} == whole
    bob = of(store, "a", BOB)
    assert {*store.subjects_of("bob")} == bob
    assert {*store.subjects_of("ann")} == whole - of(store, "a", ITSELF)
    store.destroy(store.subjects_of("ann"))
    assert {*store.subjects_of("bob")} == bob | of(store, "a", ITSELF)


def test_everyone_means_the_people_identified_so_far(store: KeyStore) -> None:
    assert of(store, "a", EVERYONE) == of(store, "a", UNKNOWN)
    assert of(store, "a", ANN, BOB) == of(store, "a", EVERYONE)


def test_merged_names_are_one_person(store: KeyStore) -> None:
    mail, phone = of(store, "mail", ANN), of(store, "phone", Subject(PERSON, "+49"))
    store.made({}, [("ann", "+49"), ("+49", "ann"), ("+49", "anna")])
    assert {*store.subjects_of("anna")} == {*store.subjects_of("ann")} == mail | phone


def test_destroying_again_changes_nothing(store: KeyStore) -> None:
    [subject] = of(store, "a", ANN)
    assert store.cipher((subject,)) is not None
    generation = store.generation
    for _ in range(2):
        store.destroy([subject, b"unknown" + bytes(9)])
        assert store.cipher((subject,)) is None
    assert store.generation > generation
    assert store.subjects_of("ann") == store.subjects_in("a") == []
    assert of(store, "a", ANN) != {subject}


def test_a_retired_key_opens_what_it_sealed_and_seals_nothing_more(store: KeyStore) -> None:
    [subject] = of(store, "a", ANN)
    store.retire([subject])
    assert store.cipher((subject,)) is not None
    assert of(store, "a", ANN) != {subject}
    assert store.not_destroyed([subject]) == [subject]


def test_a_missing_key_is_named(store: KeyStore) -> None:
    with pytest.raises(StorageError, match=f"no key of the subject {bytes(16).hex()}"):
        store.cipher((bytes(16),))


def test_no_byte_of_a_destroyed_key_is_left(store: KeyStore, tmp_path: Path) -> None:
    """In any order of destruction, and after any splits of the file's pages."""
    for first in range(0, 900, 100):
        people = range(first, first + 100)
        store.made({f"c{n}": [UNKNOWN, Subject(PERSON, f"p{n % 90}")] for n in people})
    wrapped = {row.subject: row.key for _, row in store._tables.every(0, 9999)}
    going = [*wrapped]
    random.Random(3).shuffle(going)
    assert len(going) == 1800
    while going:
        store.destroy(going[:300])
        going = going[300:]
        held = b"".join(path.read_bytes() for path in tmp_path.glob("keys.db*"))
        kept = {subject for subject, key in wrapped.items() if key in held}
        assert kept == {*going}


def test_a_rotation_leaves_no_byte_of_a_key_in_its_old_wrapping(
    store: KeyStore, tmp_path: Path
) -> None:
    before = of(store, "a", ANN, BOB)
    wrapped = [row.key for _, row in store._tables.every(0, 9)]
    data = store._tables.store()
    assert data is not None
    store.destroy(store.subjects_of("bob"))
    assert store.rotate() == 1
    held = b"".join(path.read_bytes() for path in tmp_path.glob("keys.db*"))
    assert not [one for one in (*wrapped, data.data, data.secret) if one in held]
    assert of(store, "a", ANN) < before
    assert store.cipher(tuple(of(store, "a", ANN))) is not None


def test_a_store_is_made_while_another_process_writes(tmp_path: Path) -> None:
    """SQLite does not change the journal mode while another process writes; the store retries."""
    path = tmp_path / "keys.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE keystore (x)")
    other.execute("DROP TABLE keystore")
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(SqliteKeyTables, str(path), create=True)
        with pytest.raises(TimeoutError):
            made.result(0.3)
        other.execute("ROLLBACK")
        other.close()
        made.result(20).close()
