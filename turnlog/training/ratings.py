"""Ratings: what somebody said of an answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.judgements import PreferenceEvidence
from turnlog.domain.recorded import RecordedEvent
from turnlog.training.paths import Path, digest

_GOOD = frozenset(
    ("up", "thumbs_up", "thumbsup", "good", "positive", "like", "helpful", "yes", "👍")
)
_BAD = frozenset(
    ("down", "thumbs_down", "thumbsdown", "bad", "negative", "dislike", "unhelpful", "no", "👎")
)

Place = tuple[int, bytes]
"""A message: the node of what was said before it, and the digest of what it says."""


class Rating(msgspec.Struct, frozen=True):
    """message: the number of what is rated. given: as it was recorded. is_good: None where it does
    not say. conversation: where it is, if not in the one that is looked at.
    """

    number: int
    message: int
    given: float | str
    is_good: bool | None
    conversation: str | None = None

    @property
    def evidence(self) -> PreferenceEvidence:
        return PreferenceEvidence(e.MessageRated.__name__, self.number, self.conversation)

    def compared(self, other: Rating) -> int:
        """1 where it is the better one, -1 where the other is, else 0."""
        mine, theirs = (self.is_good, other.is_good)
        if mine is None and theirs is None:
            mine, theirs = self.given, other.given  # type: ignore[assignment]
        if not (isinstance(mine, int | float) and isinstance(theirs, int | float)):
            return 0
        return (mine > theirs) - (mine < theirs)


class Ratings:
    """The last rating of each message, as it was when it was rated, on any of the paths."""

    def __init__(self, paths: Iterable[Path], recorded: Sequence[RecordedEvent]) -> None:
        self._of: dict[Place, Rating] = {}
        given: dict[int, list[Rating]] = defaultdict(list)
        for each in ratings(recorded):
            given[each.message].append(each)
        for path in paths if given else ():
            for message in given.keys() & path.places.keys():
                self._note(path, message, given.pop(message))

    def _note(self, path: Path, message: int, given: Iterable[Rating]) -> None:
        node = path.messages[path.places[message]].node
        for each in given:
            place = node, digest(path.before(message, each.number))
            known = self._of.get(place)
            if known is None or known.number < each.number:
                self._of[place] = each

    def beside(self, others: Ratings, conversation: str) -> None:
        """Take those of another conversation, where there are none."""
        for place, rating in others._of.items():
            self._of.setdefault(place, replace(rating, conversation=conversation))

    def of(self, places: Iterable[Place]) -> Rating | None:
        """The last one of some messages."""
        found = (self._of[place] for place in places if place in self._of)
        return max(found, key=lambda rating: rating.number, default=None)


def ratings(recorded: Iterable[RecordedEvent]) -> Iterator[Rating]:
    """In order. One of several stars is neither good nor bad."""
    given = [(each.number, each.event) for each in recorded]
    rated = [
        (number, event.message, event.rating)
        for number, event in given
        if isinstance(event, e.MessageRated) and event.rating is not None
    ]
    are_stars = any(_is_number(rating) and good(rating) is None for _, _, rating in rated)
    for number, message, rating in rated:
        is_good = None if are_stars and _is_number(rating) else good(rating)
        yield Rating(number, message, rating, is_good)


def _is_number(rating: float | str) -> bool:
    return isinstance(rating, int | float)


def good(rating: float | str) -> bool | None:
    """Whether a rating says good or bad; None where that is not clear, as of 3 stars."""
    if isinstance(rating, str):
        word = rating.strip().lower()
        return True if word in _GOOD else False if word in _BAD else None
    return True if rating == 1 else False if rating in (0, -1) else None
