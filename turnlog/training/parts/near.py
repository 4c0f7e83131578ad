"""Near-duplicates: conversations that equal another one except for a word, a name or the end.

A prefix filter finds the candidates. If two sets share seven tenths of the smaller, then any three
tenths of the smaller and one more contain an element of the other. The filter looks up the rarest
ones, of all shingles or of the user's, whichever leads to fewer candidates, and compares each
candidate, so that it misses none and guesses none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from math import ceil

import msgspec

from turnlog.training.parts.words import Words

SHARED = 0.7
"""The share of the shorter one's shingles that near-duplicates have in common."""

ASKED = 2 / 3
"""The same share of the user's shingles; without it, a bot's standard phrases would make
duplicates.
"""

SHORT, SHORT_ASKED = 12, 2
"""With fewer shingles (of all, of the user) the beginning of a conversation resembles too many
others; it must then share SHARED of the longer one.
"""

_BUCKETS = 1 << 24
_BITS = 32
"""Bits of a shingle; one number of its count and the shingle sorts faster than a pair."""
_SHINGLE = (1 << _BITS) - 1


def are_near(one: Words, other: Words) -> bool:
    """Whether one is the other with few words changed, or cut."""
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
    """Shingles that find a conversation, without those that no other one has.

    rarest: one of them is in every near-duplicate that is not shorter. any: those that are among
    the rarest of some conversation.
    """

    rarest: list[int]
    any: list[int]


class Probe(msgspec.Struct, frozen=True):
    """Near-duplicates are found by all shingles, or by the user's, if there are any."""

    all: Keys
    asked: Keys | None


class Rarity:
    """How many conversations have each shingle, as an upper bound; 32 MB for any number of
    conversations.
    """

    def __init__(self, conversations: Iterable[Words]) -> None:
        """conversations: iterated twice."""
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
        """The shingles by which a conversation finds others and is found."""
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
    """Conversations, by number, with which others are compared."""

    def __init__(self) -> None:
        self._all, self._asked = _Postings(), _Postings()

    def add(self, number: int, probe: Probe) -> None:
        """Makes a conversation known by its shingles."""
        self._all.add(number, probe.all)
        if probe.asked is not None:
            self._asked.add(number, probe.asked)

    def candidates(self, probe: Probe) -> Iterator[int]:
        """Numbers of the candidates, each once: all near-duplicates, and few others."""
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
