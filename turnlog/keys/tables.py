"""The tables of a key store, whatever the database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

NOBODYS = bytes(16)
"""Stands for a person where there is none, and for all that a destroyed subject was of."""


class StoreRow(NamedTuple):
    """What a key store is. secret: wrapped by the data key, as every key is. data: wrapped by the
    KMS. generation: counts destructions and rotations.
    """

    id: bytes
    secret: bytes
    data: bytes
    generation: int


class SubjectRow(NamedTuple):
    """A subject, of whom it is, by keyed hashes, and its wrapped key: zeros once destroyed."""

    subject: bytes
    kind: int
    conversation: bytes
    person: bytes
    key: bytes

    @property
    def is_destroyed(self) -> bool:
        return not any(self.key)


SCHEMA = """
CREATE TABLE keystore (id BLOB NOT NULL, secret BLOB NOT NULL, data BLOB NOT NULL,
    generation INTEGER NOT NULL);
CREATE TABLE keystore_subjects (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    subject BLOB NOT NULL,
    kind INTEGER NOT NULL,
    conversation BLOB NOT NULL,
    person BLOB NOT NULL,
    key BLOB NOT NULL
);
CREATE UNIQUE INDEX keystore_by_subject ON keystore_subjects (subject);
CREATE INDEX keystore_by_conversation ON keystore_subjects (conversation);
CREATE INDEX keystore_by_person ON keystore_subjects (person);
CREATE TABLE keystore_merged (one BLOB NOT NULL, other BLOB NOT NULL, PRIMARY KEY (one, other));
"""
"""Subjects stay where they were inserted, and are overwritten there: no copy of a key is left."""

_SUBJECT = "SELECT subject, kind, conversation, person, key FROM keystore_subjects"


class KeyTables(ABC):
    """`ask` runs one statement with `?` for each parameter, in a transaction or alone."""

    url: str
    out_of_reach: tuple[str, ...] = ()
    """Where bytes of a destroyed key can be."""

    @abstractmethod
    def ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]: ...

    @abstractmethod
    def exclusively(self) -> AbstractContextManager[None]:
        """A transaction, one at a time, whoever has the store open; durable when it is left."""

    @abstractmethod
    def scrub(self) -> None:
        """Leave no bytes of what was overwritten where the database can help it."""

    @abstractmethod
    def close(self) -> None: ...

    def store(self) -> StoreRow | None:
        """None where nothing is kept yet."""
        found = self.ask("SELECT id, secret, data, generation FROM keystore")
        return StoreRow(*map(_plain, found[0])) if found else None

    def generation(self) -> int:
        generation: int = self.ask("SELECT generation FROM keystore")[0][0]
        return generation

    def put_store(self, store: StoreRow) -> None:
        self.ask("DELETE FROM keystore")
        self.ask("INSERT INTO keystore VALUES (?, ?, ?, ?)", store)

    def count_up(self) -> None:
        self.ask("UPDATE keystore SET generation = generation + 1")

    def of_subject(self, subject: bytes) -> SubjectRow | None:
        found = self._subjects(f"{_SUBJECT} WHERE subject = ?", (subject,))
        return found[0] if found else None

    def of_conversation(self, conversation: bytes) -> list[SubjectRow]:
        """Those that are not destroyed, in the order they were made."""
        where = "WHERE conversation = ? ORDER BY number"
        return self._subjects(f"{_SUBJECT} {where}", (conversation,))

    def of_person(self, person: bytes) -> list[SubjectRow]:
        return self._subjects(f"{_SUBJECT} WHERE person = ? ORDER BY number", (person,))

    def every(self, after: int, limit: int) -> list[tuple[int, SubjectRow]]:
        """With their numbers, those above one."""
        statement = _SUBJECT.replace("SELECT ", "SELECT number, ", 1)
        found = self.ask(f"{statement} WHERE number > ? ORDER BY number LIMIT ?", (after, limit))
        return [(number, SubjectRow(*map(_plain, row))) for number, *row in found]

    def _subjects(self, statement: str, parameters: Sequence[Any]) -> list[SubjectRow]:
        return [SubjectRow(*map(_plain, row)) for row in self.ask(statement, parameters)]

    def put_subject(self, row: SubjectRow) -> None:
        self.ask(
            "INSERT INTO keystore_subjects (subject, kind, conversation, person, key)"
            " VALUES (?, ?, ?, ?, ?)",
            row,
        )

    def overwrite(self, row: SubjectRow) -> None:
        """With values of the same lengths, so that they take the place of those that were there."""
        self.ask(
            "UPDATE keystore_subjects SET key = ?, conversation = ?, person = ? WHERE subject = ?",
            (row.key, row.conversation, row.person, row.subject),
        )

    def merged_with(self, person: bytes) -> list[bytes]:
        found = self.ask(
            "SELECT other FROM keystore_merged WHERE one = ?"
            " UNION SELECT one FROM keystore_merged WHERE other = ?",
            (person, person),
        )
        return [bytes(other) for (other,) in found]

    def put_merged(self, one: bytes, other: bytes) -> None:
        if other not in self.merged_with(one):
            self.ask("INSERT INTO keystore_merged VALUES (?, ?)", (one, other))


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
