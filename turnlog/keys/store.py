"""A key store: the subjects of a log and their keys, and what becomes of them."""

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
from turnlog.keys.tables import NOBODYS, KeyTables, StoreRow, SubjectRow

LOOKUP_BYTES = SUBJECT_BYTES = 16
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
KEPT = 50_000
"""Of conversations and ciphers that are kept in memory."""

HOME = ""
"""Where the subject of the log itself is; no conversation has this id."""

Place = tuple[int, bytes]
"""The kind of a subject of a conversation, and the person's lookup."""


class KeyStore:
    """Safe to use from several threads, and from several processes at once.

    Raises StorageError where the KMS is not the store's. id: what the log knows the store by.
    secret: what ids are looked up with.
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
        """Made, unless another process did meanwhile."""
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
        """The generation now; what is kept in memory of one before is forgotten."""
        generation = self._tables.generation()
        if generation != self.generation:
            store = self._tables.store()
            assert store is not None
            self._data = self._data_cipher(store)
            self._living, self._ciphers = {}, {}  # others, so that no thread fills these again
            self.generation = store.generation
        return self.generation

    @property
    def out_of_reach(self) -> tuple[str, ...]:
        """Where copies can be that destroying a key does not reach."""
        copies = "copies of the key store, until the log is opened with them"
        return ("files that were exported", copies, *self._tables.out_of_reach)

    # --- whose they are -------------------------------------------------------------------------

    def token(self, conversation: str) -> str:
        """What stands for a conversation's id where it cannot be said."""
        return self._lookup(CONVERSATION, conversation).hex()

    def _lookup(self, kind: int, id: str) -> bytes:
        return _lookup(self.secret, kind, id)

    def _place(self, subject: Subject) -> Place:
        if subject.kind != PERSON:
            return subject.kind, NOBODYS
        return PERSON, self._lookup(PERSON, subject.person)

    def subjects_in(self, conversation: str) -> list[bytes]:
        """Everybody's in a conversation, and its own; those that are not destroyed."""
        return sorted(self._living_in(conversation).values())

    def living(self, conversation: str, subject: Subject) -> list[bytes]:
        """The one of a conversation, if it was made and is not destroyed."""
        found = self._living_in(conversation).get(self._place(subject))
        return [] if found is None else [found]

    def not_destroyed(self, subjects: Iterable[bytes]) -> list[bytes]:
        """Those of some subjects whose keys are there."""
        rows = ((subject, self._tables.of_subject(subject)) for subject in subjects)
        return [subject for subject, row in rows if row is not None and not row.is_destroyed]

    def subjects_of(self, person: str) -> list[bytes]:
        """A person's in every conversation, under whatever name that was merged with theirs.

        With them what was said before they were identified, where they were the first, and the
        conversation itself where nobody else was identified.
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
        """Have the subjects of conversations that are asked for; new ones are durable on return."""
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
            places[UNIDENTIFIED, NOBODYS] = None
        return [place for place in places if place not in living]

    def _completed(self, conversation: str, subjects: Collection[Subject]) -> dict[Place, bytes]:
        """Those that are living, with new ones for what is missing."""
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
        """The subjects, which were made."""
        living = self._living_in(conversation)
        found: set[bytes] = set()
        for each in subjects:
            if each.kind == LOG:
                found.add(self._living_in(HOME)[LOG, NOBODYS])
            elif each.kind == EVERYBODY:
                found |= _everybody(living)
            else:
                found.add(living[self._place(each)])
        return tuple(sorted(found))

    # --- ciphers --------------------------------------------------------------------------------

    def cipher(self, subjects: tuple[bytes, ...]) -> Cipher | None:
        """That of all of their keys; None where one was destroyed.

        Raises StorageError where the store has none.
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
            what = f"it has no key of the subject {subject.hex()}"
            raise StorageError(
                f"{self.url}: {what}: it is older than the log, or not its key store"
            )
        return None if row.is_destroyed else self._unwrapped(subject, row.key)

    # --- keeping --------------------------------------------------------------------------------

    def retire(self, subjects: Iterable[bytes]) -> None:
        """Have nothing more sealed under their keys, by anybody; durable on return.

        What was is opened as before. The same person gets other subjects from then on.
        """
        with self._tables.exclusively():
            for subject in subjects:
                if (row := self._tables.of_subject(subject)) is not None:
                    self._tables.overwrite(row._replace(conversation=NOBODYS, person=NOBODYS))
            self._tables.count_up()
        self.refresh()

    def destroy(self, subjects: Iterable[bytes]) -> None:
        """Overwrite their keys, and whose they were; durable on return, and again if need be.

        What was sealed under them can't be read any more, from backups neither.
        """
        with self._tables.exclusively():
            for subject in subjects:
                if self._tables.of_subject(subject) is not None:
                    zeros = SubjectRow(subject, 0, NOBODYS, NOBODYS, bytes(WRAPPED_BYTES))
                    self._tables.overwrite(zeros)
            self._tables.count_up()
        self.refresh()
        self._tables.scrub()

    def rotate(self) -> int:
        """Wrap every key by a new data key; how many there were. No row of a log is written."""
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
        self._tables.close()


@lru_cache(8192)
def _lookup(secret: bytes, kind: int, id: str) -> bytes:
    return hmac.digest(secret, encode((kind, id)), "sha256")[:LOOKUP_BYTES]


def _everybody(living: Mapping[Place, bytes]) -> set[bytes]:
    """All persons identified in a conversation; before there are any, who is unidentified."""
    persons = {subject for (kind, _), subject in living.items() if kind == PERSON}
    return persons or {living[UNIDENTIFIED, NOBODYS]}


def _of_people(rows: list[SubjectRow], names: set[bytes]) -> list[bytes]:
    """Of a conversation's subjects, in the order they were made, those that go with some people."""
    persons = [row.person for row in rows if row.kind == PERSON]
    goes = {PERSON: False, UNIDENTIFIED: persons[0] in names, CONVERSATION: {*persons} <= names}
    return [row.subject for row in rows if goes.get(row.kind) or row.person in names]
