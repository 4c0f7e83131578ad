"""Preferences: which of two answers was better, and the evidence for it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from turnlog.domain import events as e
from turnlog.domain.judgements import Judgements, PreferenceEvidence, Verdict
from turnlog.domain.recorded import RecordedEvent
from turnlog.training.preferences.claims import (
    Claim,
    PathAnswer,
    Settlement,
    preference,
    settled,
    shown_in,
    version,
)  # fmt: skip
from turnlog.training.preferences.labels import Label, clear
from turnlog.training.preferences.paths import Path, PathTree, ways
from turnlog.training.preferences.ratings import Rating, Ratings, have_stars, ratings
from turnlog.training.preferences.sources import alternatives, beside, rewritten, taken_over

_T = TypeVar("_T")

_SHOWING = (e.MessageRated, e.MessageEdited, e.MessageRegenerated, e.HandoverStarted)


class Relative(msgspec.Struct, frozen=True):
    """A conversation with a past that others share, and its name. shared: the number of the last
    shared event.
    """

    name: str
    recorded: Sequence[RecordedEvent]
    shared: int = 0


def judgements(name: str, recorded: Sequence[RecordedEvent], shared: int = 0) -> Judgements:
    """What is known about the answers of the conversation with that name."""
    return of_family([Relative(name, recorded, shared)])[name]


def of_family(family: Sequence[Relative]) -> dict[str, Judgements]:
    """What is known about the answers of conversations that share a past, by name.

    family: conversations that contain what others share come before those. Answers after the same
    messages answer the same prompt in each of them. Evidence in a shared past counts for the
    conversation that contains it.
    """
    if len(family) == 1 and not _is_judged(family[0].recorded):
        return {family[0].name: Judgements()}
    are_stars = any(have_stars(each.recorded) for each in family)
    tree, given = PathTree(), Ratings()
    members = [_Member(each, tree, are_stars=are_stars) for each in family]
    for each in members:
        given.take(each.paths, each.ratings)
    found = settled(_claims(members, given), given)
    rated = [each for member in members for each in _verdicts(member, given)]
    return _by_conversation(members, found, rated)


def _by_conversation(
    members: Iterable[_Member], found: Settlement, rated: Sequence[_Rated]
) -> dict[str, Judgements]:
    pairs = [(claim, preference(claim)) for claim in found.held]
    verdicts = [each for each in rated if each.is_learnt]
    labels, between = clear((
        *(Label.of(each.answer, each.verdict) for each in verdicts),
        *(label for pair in pairs for label in Label.of_pair(*pair)),
    ))  # fmt: skip
    unlearnt = Counter(found.unlearnt)
    unlearnt.update(each.answer.path.name for each in rated if not each.is_learnt)
    preferences = _grouped((claim.owner, pair) for claim, pair in pairs)
    rated_by_name = _grouped((each.answer.path.name, each.verdict) for each in verdicts)
    labelled = _grouped((label.owner, label.verdict) for label in labels)
    against = _grouped((each.conversation, each) for each in found.contradictions)
    mixed = Counter(between)
    return {
        name: Judgements(
            preferences[name], rated_by_name[name], labelled[name], mixed[name], against[name],
            unlearnt[name],
        )
        for name in (member.name for member in members)
    }  # fmt: skip


def _grouped(found: Iterable[tuple[str, _T]]) -> Mapping[str, tuple[_T, ...]]:
    """By conversation; empty for one that has none."""
    groups: dict[str, list[_T]] = defaultdict(list)
    for owner, each in found:
        groups[owner].append(each)
    return defaultdict(tuple, {owner: tuple(group) for owner, group in groups.items()})


def _is_judged(recorded: Sequence[RecordedEvent]) -> bool:
    shows = any(isinstance(each.event, _SHOWING) for each in recorded)
    return shows or len(ways(recorded)) > 1


class _Member:
    """One of a family, with its paths. counting: those of which nothing was rewound."""

    def __init__(self, relative: Relative, tree: PathTree, *, are_stars: bool) -> None:
        self.name, self.recorded, self.shared = (
            relative.name, relative.recorded, relative.shared,
        )  # fmt: skip
        self.paths = [Path(self.name, tree, way, self.recorded) for way in ways(self.recorded)]
        self.counting = [path for path in self.paths if path.way.counts]
        self.ratings = [*ratings(self.name, self.recorded, are_stars=are_stars)]

    def shows(self, evidence: Iterable[PreferenceEvidence]) -> bool:
        """Whether part of it is this conversation's own."""
        return any(each.conversation == self.name and each.event > self.shared for each in evidence)


def _claims(members: Sequence[_Member], given: Ratings) -> Iterator[Claim]:
    others: dict[int, list[PathAnswer]] = defaultdict(list)
    for each in members:
        own = (
            *rewritten(each.counting, each.recorded), *taken_over(each.counting),
            *alternatives(each.paths, given),
        )  # fmt: skip
        yield from (claim for claim in own if each.shows(claim.evidence))
        if len(members) > 1:
            yield from beside(each.paths, each.shared, others, given)


class _Rated(msgspec.Struct, frozen=True):
    """A verdict on an answer of a path. is_learnt: a model may learn it, if it is good."""

    answer: PathAnswer
    verdict: Verdict

    @property
    def is_learnt(self) -> bool:
        return self.answer.is_learnt or not self.verdict.is_good


def _verdicts(member: _Member, given: Ratings) -> Iterator[_Rated]:
    """The last rating of each answer that says good or bad, on the answer in its form at that time;
    without those that were rated again in another conversation.
    """
    rated = {each.message: each for each in member.ratings if each.is_good is not None}
    for path in member.counting if rated else ():
        for message in sorted(rated.keys() & path.places.keys()):
            each = rated.pop(message)
            as_rated = version(path, message, each.number)
            is_known = path.messages[as_rated.at].end <= path.whole
            last = given.of(as_rated.places)
            is_last = last is not None and last.conversation == member.name
            if each.number > member.shared and is_known and is_last:
                yield _Rated(as_rated, _verdict(as_rated, each))


def _verdict(rated: PathAnswer, rating: Rating) -> Verdict:
    path, evidence = rated.path, shown_in(rated.path.name, (rating.evidence,))
    bounds = path.seen.numbers[0], rated.last
    return Verdict(path.prompt(rated.at), rated.events, bool(rating.is_good), evidence, bounds)
