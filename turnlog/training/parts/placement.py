"""Placement: which part each conversation of an export is in."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from turnlog.domain import events as e
from turnlog.training.parts.leaks import said_digest
from turnlog.training.parts.near import NearIndex, Probe, Rarity, are_near
from turnlog.training.parts.words import NO_WORDS, Words, WordStore
from turnlog.training.plan import ExportPlan
from turnlog.training.split import hashed


class Between(msgspec.Struct, frozen=True):
    """A conversation that is in no part, because it belongs in several. near: from each of those
    parts, a conversation that it is a near-duplicate of, or that has the same user.
    """

    conversation: str
    parts: list[str]
    near: list[str]


class Placement(msgspec.Struct):
    """parts: by conversation. between: those without one. together: how many are in the part of an
    earlier near-duplicate.
    """

    parts: dict[str, str]
    between: list[Between]
    together: int = 0


class _Entry(msgspec.Struct, frozen=True, order=True):
    """What a conversation's part depends on. number: of its words in the store.

    said: the digest of its messages.
    """

    position: int
    id: str
    user: str | None
    number: int
    said: bytes | None = None

    @property
    def key(self) -> str:
        return self.id if self.user is None else f"user {self.user}"


class Placer:
    """Takes conversations in any order, and places them in the log's order.

    A conversation goes into the part of an earlier near-duplicate; with parts by user, into the
    part of its user; otherwise a hash of its id or user decides. Nothing moves when the log grows,
    and the sizes are right within sampling error. A conversation without a user counts as its own
    user.
    """

    def __init__(self, plan: ExportPlan, store: WordStore) -> None:
        self._shares: Mapping[str, float] = plan.split or {}
        self._by_user = plan.by == "user"
        self._together = plan.together
        self._entries: list[_Entry] = []
        self._store = store

    def take(self, id: str, position: int, user: str | None, events: Collection[e.Event]) -> None:
        """position: in the log, of its first event. events: what is written of it."""
        number = self._store.add(Words.of(events) if self._together else NO_WORDS)
        said = said_digest(events) if self._together else None
        self._entries.append(_Entry(position, id, user if self._by_user else None, number, said))

    def placed(self) -> Placement:
        """The part of each conversation so far."""
        placing = _Placing(self._store, self._shares)
        for entry in sorted(self._entries):
            placing.place(entry)
        return placing.placement


class _Placing:
    """Decides about each conversation once, in order."""

    def __init__(self, store: WordStore, shares: Mapping[str, float]) -> None:
        self.placement = Placement({}, [])
        self._store = store
        self._shares = shares
        self._ids: dict[int, str] = {}
        self._same: dict[bytes, str] = {}
        self._said: dict[bytes, str] = {}
        self._users: dict[str, str] = {}
        self._rarity = Rarity(store)
        self._indexes = {part: NearIndex() for part in shares}

    def place(self, entry: _Entry) -> None:
        words = self._store[entry.number]
        probe = self._rarity.probe(words)
        digest = words.digest
        near = self._near(words, digest, probe) | self._saying(entry)
        wanted = self._of_user(entry) | near
        if len(wanted) > 1:
            parts = sorted(wanted)
            found = Between(entry.id, parts, [wanted[part] for part in parts])
            self.placement.between.append(found)
            return
        self.placement.together += bool(near)
        part = next(iter(wanted), None) or hashed(entry.key, self._shares)
        self._put(entry, part)
        if words.shingles and digest not in self._same:
            self._same[digest] = entry.id
            self._ids[entry.number] = entry.id
            self._indexes[part].add(entry.number, probe)

    def _near(self, words: Words, digest: bytes, probe: Probe) -> dict[str, str]:
        """The parts with near-duplicates, and one near-duplicate of each part."""
        if (same := self._same.get(digest)) is not None:
            return {self.placement.parts[same]: same}
        found: dict[str, str] = {}
        for part, index in self._indexes.items():
            for number in index.candidates(probe):
                if are_near(words, self._store[number]):
                    found[part] = self._ids[number]
                    break
        return found

    def _saying(self, entry: _Entry) -> dict[str, str]:
        """The part with exactly the same messages, which may be too few words to be near."""
        first = None if entry.said is None else self._said.get(entry.said)
        return {} if first is None else {self.placement.parts[first]: first}

    def _of_user(self, entry: _Entry) -> dict[str, str]:
        first = None if entry.user is None else self._users.get(entry.user)
        return {} if first is None else {self.placement.parts[first]: first}

    def _put(self, entry: _Entry, part: str) -> None:
        self.placement.parts[entry.id] = part
        if entry.said is not None:
            self._said.setdefault(entry.said, entry.id)
        if entry.user is not None:
            self._users.setdefault(entry.user, entry.id)
