"""A key store: the subjects of a log and their keys."""

from __future__ import annotations

import hmac
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache

from turnlog.domain.subjects import CONVERSATION, EVERYBODY, LOG, PERSON, UNIDENTIFIED, Subject
from turnlog.encoding.binary import encode
from turnlog.errors import StorageError
from turnlog.keys.cipher import KEY_BYTES, NONCE_BYTES, TAG_BYTES, Cipher, cipher_of
from turnlog.keys.kms import Kms
from turnlog.keys.tables import NO_LOOKUP, KeyTables, StoreRow, SubjectRow

LOOKUP_BYTES = SUBJECT_BYTES = 16
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
KEPT = 50_000
"""How many conversations, and how many ciphers, are cached."""

HOME = ""
"""The conversation of the subject of the log itself; no recorded conversation has this id."""

Place = tuple[int, bytes]
"""The kind of a subject in a conversation, and the person's lookup."""


class KeyStore:
    """The keys of one log. Safe to use from several threads and processes.

    Raises StorageError if the KMS did not wrap the store's data key. id: names the store in the
    log. secret: keys the lookups of ids.
    """

    def __init__(self, tables: KeyTables, kms: Kms) -> None:
        self._tables = tables
        self._kms = kms
        self.url = tables.url
        found = tables.store() or self._begun()
        self.id = found.id
        self.generation = found.generation
        self._data = self._data_cipher(found)
        self.secret = self._unwrapped(found.id, found.secret)
        self._living: dict[str, dict[Place, bytes]] = {}
        self._ciphers: dict[tuple[bytes, ...], Cipher | None] = {}

    def _begun(self) -> StoreRow:
        """The row of a new store, unless another process made it meanwhile."""
        with self._tables.exclusively():
            if (found := self._tables.store()) is not None:
                return found
            id, data = os.urandom(SUBJECT_BYTES), os.urandom(KEY_BYTES)
            secret = Cipher(data).seal(os.urandom(KEY_BYTES), id)
            made = StoreRow(id, secret, self._kms.wrap(data), 1)
            self._tables.put_store(made)
            return made

    def _data_cipher(self, store: StoreRow) -> Cipher:
        try:
            return Cipher(self._kms.unwrap(store.data))
        except StorageError as error:
            raise StorageError(f"{self.url}: the key store cannot be opened: {error}") from error

    def _unwrapped(self, subject: bytes, wrapped: bytes) -> bytes:
        if (key := self._data.opened(wrapped, subject)) is None:
            what = f"the key of {subject.hex()} is not wrapped by the store's data key"
            raise StorageError(f"{self.url}: {what}: one of the two was changed")
        return key

    def refresh(self) -> int:
        """The current generation. A change empties the caches."""
        generation = self._tables.generation()
        if generation != self.generation:
            store = self._tables.store()
            assert store is not None
            self._data = self._data_cipher(store)
            self._living, self._ciphers = {}, {}  # new ones: a thread may still fill the old
            self.generation = store.generation
        return self.generation

    @property
    def out_of_reach(self) -> tuple[str, ...]:
        """Places of copies that destroying a key does not reach."""
        copies = "copies of the key store, until the log is opened with them"
        return ("files that were exported", copies, *self._tables.out_of_reach)

    # --- whose they are -------------------------------------------------------------------------

    def token(self, conversation: str) -> str:
        """The token that replaces a conversation's id in what is stored."""
        return self._lookup(CONVERSATION, conversation).hex()

    def _lookup(self, kind: int, id: str) -> bytes:
        return _lookup(self.secret, kind, id)

    def _place(self, subject: Subject) -> Place:
        if subject.kind != PERSON:
            return subject.kind, NO_LOOKUP
        return PERSON, self._lookup(PERSON, subject.person)

    def subjects_in(self, conversation: str) -> list[bytes]:
        """All subjects of a conversation that are not destroyed."""
        return sorted(self._living_in(conversation).values())

    def living(self, conversation: str, subject: Subject) -> list[bytes]:
        """The subject in that conversation, if it was made and is not destroyed."""
        found = self._living_in(conversation).get(self._place(subject))
        return [] if found is None else [found]

    def not_destroyed(self, subjects: Iterable[bytes]) -> list[bytes]:
        """The subjects whose keys still exist."""
        rows = ((subject, self._tables.of_subject(subject)) for subject in subjects)
        return [subject for subject, row in rows if row is not None and not row.is_destroyed]

    def subjects_of(self, person: str) -> list[bytes]:
        """A person's subjects in every conversation, under every name merged with theirs.

        Includes the subject of what was said before the first identification if they were the
        first, and the conversation's own subject if no one else was identified.
        """
        names = self._names_of(person)
        found: list[bytes] = []
        for conversation in dict.fromkeys(row.conversation for row in self._rows_of(names)):
            found += _of_people(self._tables.of_conversation(conversation), names)
        return found

    def _rows_of(self, names: Iterable[bytes]) -> Iterator[SubjectRow]:
        for name in names:
            yield from self._tables.of_person(name)

    def _names_of(self, person: str) -> set[bytes]:
        waiting, names = [self._lookup(PERSON, person)], set[bytes]()
        while waiting:
            if (name := waiting.pop()) not in names:
                names.add(name)
                waiting += self._tables.merged_with(name)
        return names

    def _living_in(self, conversation: str) -> dict[Place, bytes]:
        kept = self._living
        if (living := kept.get(conversation)) is None:
            living = self._read(self._lookup(CONVERSATION, conversation))
            if len(kept) >= KEPT:
                kept.clear()
            kept[conversation] = living
        return living

    # --- making ---------------------------------------------------------------------------------

    def made(
        self,
        asked: Mapping[str, Collection[Subject]],
        merged: Collection[tuple[str, str]] = (),
    ) -> None:
        """Makes the missing subjects of each conversation; durable on return.

        merged: pairs of names that are one person.
        """
        if any(each.kind == LOG for subjects in asked.values() for each in subjects):
            asked = {name: [s for s in each if s.kind != LOG] for name, each in asked.items()}
            asked[HOME] = [Subject(LOG)]
        wanting = {name: each for name, each in asked.items() if self._lacks(name, each)}
        if not wanting and not merged:
            return
        with self._tables.exclusively():
            found = {name: self._completed(name, each) for name, each in wanting.items()}
            for pair in merged:
                one, other = sorted(self._lookup(PERSON, name) for name in pair)
                self._tables.put_merged(one, other)
        self._living |= found

    def _lacks(self, conversation: str, subjects: Collection[Subject]) -> bool:
        return bool(self._missing(self._living_in(conversation), subjects))

    def _missing(self, living: Mapping[Place, bytes], subjects: Collection[Subject]) -> list[Place]:
        kinds = {each.kind for each in subjects}
        places = {self._place(each): None for each in subjects if each.kind != EVERYBODY}
        if EVERYBODY in kinds and PERSON not in kinds | {kind for kind, _ in living}:
            places[UNIDENTIFIED, NO_LOOKUP] = None
        return [place for place in places if place not in living]

    def _completed(self, conversation: str, subjects: Collection[Subject]) -> dict[Place, bytes]:
        """The subjects that are not destroyed, with new ones for what is missing."""
        lookup = self._lookup(CONVERSATION, conversation)
        living = self._read(lookup)
        for kind, person in self._missing(living, subjects):
            subject, key = os.urandom(SUBJECT_BYTES), os.urandom(KEY_BYTES)
            sealed = self._data.seal(key, subject)
            self._tables.put_subject(SubjectRow(subject, kind, lookup, person, sealed))
            living[kind, person] = subject
        return living

    def _read(self, conversation: bytes) -> dict[Place, bytes]:
        rows = self._tables.of_conversation(conversation)
        return {(row.kind, row.person): row.subject for row in rows}

    def known(self, conversation: str, subjects: Iterable[Subject]) -> tuple[bytes, ...]:
        """The stored ids of subjects that were made before."""
        living = self._living_in(conversation)
        found: set[bytes] = set()
        for each in subjects:
            if each.kind == LOG:
                found.add(self._living_in(HOME)[LOG, NO_LOOKUP])
            elif each.kind == EVERYBODY:
                found |= _everybody(living)
            else:
                found.add(living[self._place(each)])
        return tuple(sorted(found))

    # --- ciphers --------------------------------------------------------------------------------

    def cipher(self, subjects: tuple[bytes, ...]) -> Cipher | None:
        """The cipher of all their keys; None if one was destroyed.

        Raises StorageError if the store does not know a subject.
        """
        kept = self._ciphers
        if subjects in kept:
            return kept[subjects]
        keys = [self._key(subject) for subject in subjects]
        cipher = None if None in keys else cipher_of([key for key in keys if key is not None])
        if len(kept) >= KEPT:
            kept.clear()
        kept[subjects] = cipher
        return cipher

    def _key(self, subject: bytes) -> bytes | None:
        row = self._tables.of_subject(subject)
        if row is None:
            what = f"no key of the subject {subject.hex()}"
            raise StorageError(
                f"{self.url}: {what}; the store is older than the log, or belongs to another log"
            )
        return None if row.is_destroyed else self._unwrapped(subject, row.key)

    # --- keeping --------------------------------------------------------------------------------

    def retire(self, subjects: Iterable[bytes]) -> None:
        """Seals nothing more under these keys, in any process; durable on return.

        What they sealed still opens. The same people get new subjects from then on.
        """
        with self._tables.exclusively():
            for subject in subjects:
                if (row := self._tables.of_subject(subject)) is not None:
                    self._tables.overwrite(row._replace(conversation=NO_LOOKUP, person=NO_LOOKUP))
            self._tables.count_up()
        self.refresh()

    def destroy(self, subjects: Iterable[bytes]) -> None:
        """Overwrites the keys and their lookups; durable on return, and safe to repeat.

        What they sealed can no longer be read, not even from backups.
        """
        with self._tables.exclusively():
            for subject in subjects:
                if self._tables.of_subject(subject) is not None:
                    zeros = SubjectRow(subject, 0, NO_LOOKUP, NO_LOOKUP, bytes(WRAPPED_BYTES))
                    self._tables.overwrite(zeros)
            self._tables.count_up()
        self.refresh()
        self._tables.scrub()

    def rotate(self) -> int:
        """Wraps every key by a new data key, and counts the keys. Writes no row of the log."""
        last = count = 0
        with self._tables.exclusively():
            self.refresh()
            store = self._tables.store()
            assert store is not None
            data = os.urandom(KEY_BYTES)
            cipher = Cipher(data)
            while rows := self._tables.every(last, 1000):
                last = rows[-1][0]
                for _, row in rows:
                    if not row.is_destroyed:
                        key = self._unwrapped(row.subject, row.key)
                        self._tables.overwrite(row._replace(key=cipher.seal(key, row.subject)))
                        count += 1
            secret = cipher.seal(self.secret, store.id)
            self._tables.put_store(
                store._replace(
                    secret=secret, data=self._kms.wrap(data), generation=store.generation + 1
                )
            )
        self.refresh()
        self._tables.scrub()
        return count

    def close(self) -> None:
        """Closes the tables."""
        self._tables.close()


@lru_cache(8192)
def _lookup(secret: bytes, kind: int, id: str) -> bytes:
    return hmac.digest(secret, encode((kind, id)), "sha256")[:LOOKUP_BYTES]


def _everybody(living: Mapping[Place, bytes]) -> set[bytes]:
    """All people identified in a conversation; before the first, the unidentified subject."""
    persons = {subject for (kind, _), subject in living.items() if kind == PERSON}
    return persons or {living[UNIDENTIFIED, NO_LOOKUP]}


def _of_people(rows: list[SubjectRow], names: set[bytes]) -> list[bytes]:
    """A conversation's subjects that belong to some people, oldest first."""
    persons = [row.person for row in rows if row.kind == PERSON]
    goes = {PERSON: False, UNIDENTIFIED: persons[0] in names, CONVERSATION: {*persons} <= names}
    return [row.subject for row in rows if goes.get(row.kind) or row.person in names]
