"""Near-duplicates: which conversations are another one with a word, a name or the end changed.

A prefix filter finds the candidates: of two sets that share two thirds of the smaller, any third of
the smaller and one more hold something of the other. The rarest are looked up, and every candidate
is compared, so that none is missed and none is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from math import ceil

import msgspec

from turnlog.training.words import Words

SHARED = 0.7
"""Of the shingles of the shorter one, how many near-duplicates have in common."""

ASKED = 2 / 3
"""Of the user's shingles in the shorter one: else what a bot always says would make duplicates."""

SHORT, SHORT_ASKED = 12, 2
"""Shingles, and those of the user, below which a conversation begins like too many others to be one
of them cut: SHARED is of the longer one then."""

_BUCKETS = 1 << 24


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


def _found_by(words: Words) -> tuple[frozenset[int], float]:
    """What a near-duplicate shares that part of: the user's shingles are rarer than the bot's."""
    return (words.asked, ASKED) if words.asked else (words.shingles, SHARED)


class Probe(msgspec.Struct, frozen=True):
    """Shingles of a conversation that it is found by, without those that no other one has.

    rarest: one of them is in every near-duplicate that is not shorter. any: those that are among
    the rarest of some conversation.
    """

    rarest: list[int]
    any: list[int]


class Rarity:
    """How many conversations have a shingle, at most; 32 MB for any number of them."""

    def __init__(self, conversations: Iterable[Words]) -> None:
        """conversations: gone through twice."""
        self._counts = bytearray(_BUCKETS)
        self._looked_up = bytearray(_BUCKETS)
        for words in conversations:
            for shingle in _found_by(words)[0]:
                count = self._counts[shingle % _BUCKETS]
                self._counts[shingle % _BUCKETS] = min(count + 1, 255)
        for words in conversations:
            for shingle in self._rarest(words):
                self._looked_up[shingle % _BUCKETS] = 1

    def probe(self, words: Words) -> Probe:
        looked_up = self._looked_up
        rarest = self._rarest(words)
        return Probe(rarest, [s for s in _found_by(words)[0] if looked_up[s % _BUCKETS]])

    def _rarest(self, words: Words) -> list[int]:
        shingles, share = _found_by(words)
        count = len(shingles) - ceil(share * len(shingles)) + 1
        counts = self._counts
        ordered = sorted([(counts[s % _BUCKETS], s) for s in shingles])
        return [s for conversations, s in ordered[:count] if conversations > 1]


class NearIndex:
    """Conversations, by number, that others are held against."""

    def __init__(self) -> None:
        self._by_rarest: dict[int, list[int]] = {}
        self._by_any: dict[int, list[int]] = {}

    def add(self, number: int, probe: Probe) -> None:
        for shingle in probe.rarest:
            self._by_rarest.setdefault(shingle, []).append(number)
        for shingle in probe.any:
            self._by_any.setdefault(shingle, []).append(number)

    def candidates(self, probe: Probe) -> Iterator[int]:
        """Numbers, each once, of what may be near: all that is, and little else."""
        seen: set[int] = set()
        longer = (self._by_any.get(s, ()) for s in probe.rarest)
        shorter = (self._by_rarest.get(s, ()) for s in probe.any)
        for number in chain.from_iterable(chain(longer, shorter)):
            if number not in seen:
                seen.add(number)
                yield number
