"""Near-duplicates: which conversations are another one with a word, a name or the end changed.

A prefix filter finds the candidates: of two sets that share seven tenths of the smaller, any three
tenths of the smaller and one more hold something of the other. The rarest are looked up, of all
shingles or of the user's, whichever leads to fewer, and each candidate is compared, so that none is
missed and none is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from math import ceil

import msgspec

from turnlog.training.parts.words import Words

SHARED = 0.7
"""Of the shingles of the shorter one, how many near-duplicates have in common."""

ASKED = 2 / 3
"""Of the user's shingles in the shorter one: else what a bot always says would make duplicates."""

SHORT, SHORT_ASKED = 12, 2
"""Shingles, and those of the user, below which a conversation begins like too many others to be one
of them cut: SHARED is of the longer one then."""

_BUCKETS = 1 << 24
_BITS = 32
"""Of a shingle; one number of its count and itself is sorted faster than two."""
_SHINGLE = (1 << _BITS) - 1


def are_near(one: Words, other: Words) -> bool:
    """Whether the one is the other with few words changed, or cut."""
    small, large = sorted((one, other), key=lambda words: len(words.shingles))
    is_short = len(small.shingles) < SHORT or len(small.asked) < SHORT_ASKED
    of = len((large if is_short else small).shingles)
    few = min(len(one.asked), len(other.asked))
    return (
        of > 0
        and bool(one.asked) == bool(other.asked)
        and len(small.shingles & large.shingles) >= SHARED * of
        and len(one.asked & other.asked) >= ASKED * few
    )


class Keys(msgspec.Struct, frozen=True):
    """Shingles that a conversation is found by, without those that no other one has.

    rarest: one of them is in every near-duplicate that is not shorter. any: those that are among
    the rarest of some conversation.
    """

    rarest: list[int]
    any: list[int]


class Probe(msgspec.Struct, frozen=True):
    """Near-duplicates are found by all shingles, or by the user's, where there are some."""

    all: Keys
    asked: Keys | None


class Rarity:
    """How many conversations have a shingle, at most; 32 MB for any number of them."""

    def __init__(self, conversations: Iterable[Words]) -> None:
        """conversations: gone through twice."""
        self._counts = counts = bytearray(_BUCKETS)
        self._looked_up = bytearray(_BUCKETS)
        for words in conversations:
            for shingle in words.shingles:
                if (count := counts[bucket := shingle % _BUCKETS]) < 255:
                    counts[bucket] = count + 1
        for words in conversations:
            rarest = self._rarest(words.shingles, SHARED), self._rarest(words.asked, ASKED)
            for shingle in chain(*rarest):
                self._looked_up[shingle % _BUCKETS] = 1

    def probe(self, words: Words) -> Probe:
        asked = self._keys(words.asked, ASKED) if words.asked else None
        return Probe(self._keys(words.shingles, SHARED), asked)

    def _keys(self, shingles: frozenset[int], share: float) -> Keys:
        looked_up = self._looked_up
        rarest = self._rarest(shingles, share)
        return Keys(rarest, [s for s in shingles if looked_up[s % _BUCKETS]])

    def _rarest(self, shingles: frozenset[int], share: float) -> list[int]:
        count = len(shingles) - ceil(share * len(shingles)) + 1
        counts = self._counts
        ordered = sorted([counts[s % _BUCKETS] << _BITS | s for s in shingles])
        return [each & _SHINGLE for each in ordered[:count] if each >> _BITS > 1]


class NearIndex:
    """Conversations, by number, that others are held against."""

    def __init__(self) -> None:
        self._all, self._asked = _Postings(), _Postings()

    def add(self, number: int, probe: Probe) -> None:
        self._all.add(number, probe.all)
        if probe.asked is not None:
            self._asked.add(number, probe.asked)

    def candidates(self, probe: Probe) -> Iterator[int]:
        """Numbers, each once, of what may be near: all that is, and little else."""
        found = [self._all.found(probe.all)]
        if probe.asked is not None:
            found.append(self._asked.found(probe.asked))
        fewest = min(found, key=lambda lists: sum(map(len, lists)))
        yield from dict.fromkeys(chain.from_iterable(fewest))


class _Postings:
    """Of some shingles, the conversations that have them."""

    def __init__(self) -> None:
        self._by_rarest: dict[int, list[int]] = {}
        self._by_any: dict[int, list[int]] = {}

    def add(self, number: int, keys: Keys) -> None:
        for shingle in keys.rarest:
            self._by_rarest.setdefault(shingle, []).append(number)
        for shingle in keys.any:
            self._by_any.setdefault(shingle, []).append(number)

    def found(self, keys: Keys) -> list[list[int]]:
        longer = [self._by_any[s] for s in keys.rarest if s in self._by_any]
        return longer + [self._by_rarest[s] for s in keys.any if s in self._by_rarest]
