"""Ratings: what people said about answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from turnlog.domain import events as e
from turnlog.domain.judgements import PreferenceEvidence
from turnlog.domain.recorded import RecordedEvent
from turnlog.training.preferences.paths import Path, digest

_GOOD = frozenset(
    ("up", "thumbs_up", "thumbsup", "good", "positive", "like", "helpful", "yes", "👍")
)
_BAD = frozenset(
    ("down", "thumbs_down", "thumbsdown", "bad", "negative", "dislike", "unhelpful", "no", "👎")
)

Place = tuple[int, bytes]
"""A message: the node of the messages before it, and the digest of what it says."""


class Rating(msgspec.Struct, frozen=True):
    """number: the rating's own, in that conversation; position: in the log. message: the number of
    the rated message. given: as recorded; None if it retracts the one before. is_good: None if it
    does not say.
    """

    conversation: str
    number: int
    position: int
    message: int
    given: float | str | None
    is_good: bool | None

    @property
    def evidence(self) -> PreferenceEvidence:
        """The rating as evidence for a preference."""
        return PreferenceEvidence(e.MessageRated.__name__, self.number, self.conversation)

    @property
    def order(self) -> tuple[int, int]:
        """Greater for a later one."""
        return self.position, self.number

    def compared(self, other: Rating) -> int:
        """1 if this one is better, -1 if the other is, otherwise 0."""
        mine, theirs = (self.is_good, other.is_good)
        if mine is None and theirs is None:
            mine, theirs = self.given, other.given  # type: ignore[assignment]
        if not (isinstance(mine, int | float) and isinstance(theirs, int | float)):
            return 0
        return (mine > theirs) - (mine < theirs)


class Ratings:
    """The last rating of each message, in its form at the time of the rating, from any
    conversation.
    """

    def __init__(self) -> None:
        self._of: dict[Place, Rating] = {}

    def take(self, paths: Iterable[Path], ratings: Iterable[Rating]) -> None:
        """The ratings of a conversation, on any of its paths."""
        given: dict[int, list[Rating]] = defaultdict(list)
        for each in ratings:
            given[each.message].append(each)
        for path in paths if given else ():
            for message in given.keys() & path.places.keys():
                self._note(path, message, given.pop(message))

    def _note(self, path: Path, message: int, given: Iterable[Rating]) -> None:
        node = path.messages[path.places[message]].node
        for each in given:
            place = node, digest(path.before(message, each.number))
            known = self._of.get(place)
            if known is None or known.order < each.order:
                self._of[place] = each

    def of(self, places: Iterable[Place]) -> Rating | None:
        """The last rating of some messages."""
        found = (x for place in places if (x := self._of.get(place)) and x.given is not None)
        return max(found, key=lambda rating: rating.order, default=None)


def have_stars(recorded: Iterable[RecordedEvent]) -> bool:
    """Whether one of the ratings says neither good nor bad, which leaves all of them undecided."""
    rated = (each.event.rating for each in recorded if isinstance(each.event, e.MessageRated))
    return any(isinstance(given, int | float) and good(given) is None for given in rated)


def ratings(name: str, recorded: Iterable[RecordedEvent], *, are_stars: bool) -> Iterator[Rating]:
    """The ratings of a conversation, in order. One of several stars is neither good nor bad."""
    for each in recorded:
        if isinstance(each.event, e.MessageRated) and not _is_comment(each.event):
            given = each.event.rating
            is_star = are_stars and isinstance(given, int | float)
            is_good = None if is_star or given is None else good(given)
            place = each.number, each.position or 0, each.event.message
            yield Rating(name, *place, given, is_good)


def _is_comment(rated: e.MessageRated) -> bool:
    """Whether it leaves the rating unchanged."""
    return rated.rating is None and rated.comment is not None


def good(rating: float | str) -> bool | None:
    """Whether a rating says good or bad; None if unclear, such as 3 stars."""
    if isinstance(rating, str):
        word = rating.strip().lower()
        return True if word in _GOOD else False if word in _BAD else None
    return True if rating == 1 else False if rating in (0, -1) else None
