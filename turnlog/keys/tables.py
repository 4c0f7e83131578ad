"""The tables of a key store, for every database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

NO_LOOKUP = bytes(16)
"""Stored where a subject has no person, and in all lookups of a destroyed subject."""


class StoreRow(NamedTuple):
    """A key store.

    secret: wrapped by the data key, as every key is. data: the data key, wrapped by the KMS.
    generation: counts destructions and rotations.
    """

    id: bytes
    secret: bytes
    data: bytes
    generation: int


class SubjectRow(NamedTuple):
    """A subject with its wrapped key, which is all zeros once destroyed.

    conversation, person: keyed hashes of the ids that it belongs to.
    """

    subject: bytes
    kind: int
    conversation: bytes
    person: bytes
    key: bytes

    @property
    def is_destroyed(self) -> bool:
        """Whether the key was overwritten with zeros."""
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
"""Subjects are overwritten in place, so that no copy of a key remains."""

_SUBJECT = "SELECT subject, kind, conversation, person, key FROM keystore_subjects"


class KeyTables(ABC):
    """The tables of one key store. Subclasses bring the database."""

    url: str
    out_of_reach: tuple[str, ...] = ()
    """Places where bytes of a destroyed key can remain."""

    @abstractmethod
    def ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """The rows of one statement, in the open transaction or alone. `?` marks each parameter."""

    @abstractmethod
    def exclusively(self) -> AbstractContextManager[None]:
        """A transaction, one at a time among all processes; durable when the block ends."""

    @abstractmethod
    def scrub(self) -> None:
        """Removes the bytes of overwritten rows, as far as the database can."""

    @abstractmethod
    def close(self) -> None:
        """Closes the connection."""

    def store(self) -> StoreRow | None:
        """The row of the store itself; None before it is made."""
        found = self.ask("SELECT id, secret, data, generation FROM keystore")
        return StoreRow(*map(_plain, found[0])) if found else None

    def generation(self) -> int:
        """The store's current generation."""
        generation: int = self.ask("SELECT generation FROM keystore")[0][0]
        return generation

    def put_store(self, store: StoreRow) -> None:
        """Replaces the row of the store itself."""
        self.ask("DELETE FROM keystore")
        self.ask("INSERT INTO keystore VALUES (?, ?, ?, ?)", store)

    def count_up(self) -> None:
        """Adds 1 to the generation."""
        self.ask("UPDATE keystore SET generation = generation + 1")

    def of_subject(self, subject: bytes) -> SubjectRow | None:
        """The row of a subject; None if it is unknown."""
        found = self._subjects(f"{_SUBJECT} WHERE subject = ?", (subject,))
        return found[0] if found else None

    def of_conversation(self, conversation: bytes) -> list[SubjectRow]:
        """The subjects of a conversation that are not destroyed, oldest first."""
        where = "WHERE conversation = ? ORDER BY number"
        return self._subjects(f"{_SUBJECT} {where}", (conversation,))

    def of_person(self, person: bytes) -> list[SubjectRow]:
        """The subjects of a person that are not destroyed, oldest first."""
        return self._subjects(f"{_SUBJECT} WHERE person = ? ORDER BY number", (person,))

    def every(self, after: int, limit: int) -> list[tuple[int, SubjectRow]]:
        """Numbers and rows of all subjects, destroyed ones too, with numbers above `after`."""
        statement = _SUBJECT.replace("SELECT ", "SELECT number, ", 1)
        found = self.ask(f"{statement} WHERE number > ? ORDER BY number LIMIT ?", (after, limit))
        return [(number, SubjectRow(*map(_plain, row))) for number, *row in found]

    def _subjects(self, statement: str, parameters: Sequence[Any]) -> list[SubjectRow]:
        return [SubjectRow(*map(_plain, row)) for row in self.ask(statement, parameters)]

    def put_subject(self, row: SubjectRow) -> None:
        """Inserts a subject."""
        self.ask(
            "INSERT INTO keystore_subjects (subject, kind, conversation, person, key)"
            " VALUES (?, ?, ?, ?, ?)",
            row,
        )

    def overwrite(self, row: SubjectRow) -> None:
        """Overwrites a subject in place. The new values must have the lengths of the old ones."""
        self.ask(
            "UPDATE keystore_subjects SET key = ?, conversation = ?, person = ? WHERE subject = ?",
            (row.key, row.conversation, row.person, row.subject),
        )

    def merged_with(self, person: bytes) -> list[bytes]:
        """The lookups that were merged with a person's lookup, in either order."""
        found = self.ask(
            "SELECT other FROM keystore_merged WHERE one = ?"
            " UNION SELECT one FROM keystore_merged WHERE other = ?",
            (person, person),
        )
        return [bytes(other) for (other,) in found]

    def put_merged(self, one: bytes, other: bytes) -> None:
        """Records that two lookups are one person; once for each pair."""
        if other not in self.merged_with(one):
            self.ask("INSERT INTO keystore_merged VALUES (?, ?)", (one, other))


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
