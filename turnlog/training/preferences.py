"""Preferences: which of two answers was the better one, and by what that is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.judgements import Judgements, PreferenceEvidence, Verdict
from turnlog.domain.recorded import RecordedEvent
from turnlog.training.claims import Claim, PathAnswer, answer, settled, version
from turnlog.training.paths import Path, PathTree, Rewrite, ways
from turnlog.training.ratings import Ratings, ratings

_SHOWING = (e.MessageRated, e.MessageEdited, e.MessageRegenerated, e.HandoverStarted)


def judgements(
    name: str, recorded: Sequence[RecordedEvent], after: int = 0, holder: Holder | None = None
) -> Judgements:
    """What is known about the answers of the conversation that goes by that name.

    holder: the conversation that has the events up to `after` too; what evidence among them shows
    is its own.
    """
    found = ways(recorded)
    is_judged = len(found) > 1 or any(isinstance(each.event, _SHOWING) for each in recorded)
    if not is_judged and holder is None:
        return Judgements()
    tree = PathTree()
    paths = [Path(name, tree, way, recorded) for way in found]
    given = Ratings(paths, recorded)
    counting = [path for path in paths if path.way.counts]
    claims = [
        *_rewritten(counting, recorded), *_taken_over(counting), *_alternatives(paths, given),
    ]  # fmt: skip
    if holder is not None:
        others = [Path(holder.name, tree, way, holder.recorded) for way in ways(holder.recorded)]
        given.beside(Ratings(others, holder.recorded), holder.name)
        claims += _forked(counting, [path for path in others if path.way.counts], given, after)
    preferences, contradictions = settled(claims, given, after)
    verdicts = tuple(_verdicts(counting, recorded, after))
    return Judgements(tuple(preferences), verdicts, tuple(contradictions))


class Holder(msgspec.Struct, frozen=True):
    """A conversation that holds a fork's past, and what it is called."""

    name: str
    recorded: Sequence[RecordedEvent]


def _evidence(recorded: RecordedEvent) -> PreferenceEvidence:
    return PreferenceEvidence(type(recorded.event).__name__, recorded.number)


# --- edited and regenerated ---------------------------------------------------------------------


def _rewritten(paths: Iterable[Path], recorded: Sequence[RecordedEvent]) -> Iterator[Claim]:
    """Of each answer that was edited or regenerated, what it is at last and what it was before."""
    done: set[int] = set()
    rewrites = [each for each in recorded if isinstance(each.event, Rewrite)]
    for path in paths if rewrites else ():
        for each in rewrites:
            number = each.event.message  # type: ignore[attr-defined]
            if number in path.places and each.number not in done:
                done.add(each.number)
                last = answer(path, at := path.places[number], at + 1)
                yield Claim(last, version(path, number, each.number), (_evidence(each),))


# --- said in the place of another ---------------------------------------------------------------


def _alternatives(paths: Sequence[Path], given: Ratings) -> Iterator[Claim]:
    """Answers to the same prompt: those said last, or rated higher, are better."""
    told: dict[int, list[PathAnswer]] = defaultdict(list)
    for path in paths if len(paths) > 1 else ():
        for at, message in enumerate(path.messages):
            if message.side == "assistant":
                told[message.node].append(answer(path, at, path.run(at)))
    for answers in told.values():
        different = {answer.said[0]: answer for answer in answers}
        if len(different) > 1:
            yield from _gone_on_with(answers, list(different.values()))
            yield from _rated(different.values(), given)


def _gone_on_with(
    answers: Sequence[PathAnswer], different: Sequence[PathAnswer]
) -> Iterator[Claim]:
    """answers: in order of the paths. What left an answer shows it, and what led to the last."""
    last = answers[-1]
    others = [at for at, each in enumerate(answers) if each.said[0] != last.said[0]]
    began = answers[others[-1] + 1].path.way.began
    for other in different:
        left = other.path.way.ended
        if began is not None and left is not None:
            is_weak = isinstance(left.event, e.HistoryContinued) and left.event.branch is not None
            evidence = dict.fromkeys((_evidence(left), _evidence(began)))
            yield Claim(last, other, tuple(evidence), is_weak)


def _rated(different: Iterable[PathAnswer], given: Ratings) -> Iterator[Claim]:
    for one, other in combinations(different, 2):
        mine, theirs = given.of(one.places), given.of(other.places)
        if mine is not None and theirs is not None and (order := mine.compared(theirs)):
            better, worse = (one, other) if order > 0 else (other, one)
            evidence = sorted((mine.evidence, theirs.evidence), key=lambda x: x.event)
            yield Claim(better, worse, tuple(evidence))


# --- a person's in the place of the bot's -------------------------------------------------------


def _taken_over(paths: Iterable[Path]) -> Iterator[Claim]:
    """A person took over after the bot's answer and answered the same message.

    A bot that hands over itself says so; that is no bad answer.
    """
    for path in paths:
        for at in range(1, len(path.messages)):
            before, after = path.messages[at - 1], path.messages[at]
            if after.is_human and before.side == "assistant" and not before.is_human:
                between = range(before.end, after.first)
                takes = (event for event in between if _takes_over(path.seen.events[event]))
                if (event := next(takes, None)) is not None:
                    yield _claim_of(path, at, event)


def _takes_over(event: e.Event) -> bool:
    is_bots = event.actor == "bot" or event.cause is not None
    return isinstance(event, e.HandoverStarted) and not is_bots


def _claim_of(path: Path, at: int, event: int) -> Claim:
    begin = at
    while begin and path.run(begin - 1) == at:
        begin -= 1
    worse, better = answer(path, begin, at), answer(path, at, path.run(at))
    evidence = PreferenceEvidence(e.HandoverStarted.__name__, path.seen.numbers[event])
    return Claim(better.behind(worse), worse, (evidence,))


# --- said in a fork -----------------------------------------------------------------------------


def _forked(
    mine: Iterable[Path], others: Iterable[Path], given: Ratings, after: int
) -> Iterator[Claim]:
    """Answers of a fork and of the conversation it was forked from: those rated higher are better,
    or those after which alone the user goes on.
    """
    told: dict[int, list[PathAnswer]] = defaultdict(list)
    for their in _own(others, after):
        told[their.node].append(their)
    for my in _own(mine, after):
        for their in told.get(my.node, ()):
            if my.said[0] != their.said[0]:
                name, last = their.path.name, their.events[-1]
                place = PreferenceEvidence(type(last).__name__, their.last, name)
                there = replace(their.behind(my), last=my.last)
                found = [*_rated((my, there), given), *_gone_on(my, their, there)]
                for claim in found:
                    yield replace(claim, evidence=(*claim.evidence, place))


def _own(paths: Iterable[Path], after: int) -> Iterator[PathAnswer]:
    """Each answer since the fork once, on the newest path."""
    found: dict[int, PathAnswer] = {}
    for path in paths:
        for at, message in enumerate(path.messages):
            if message.side == "assistant" and path.number(at) > after:
                found[path.number(at)] = answer(path, at, path.run(at))
    yield from found.values()


def _gone_on(my: PathAnswer, their: PathAnswer, there: PathAnswer) -> Iterator[Claim]:
    """there: the other's, to the prompt of mine."""
    mine, theirs = _next(my), _next(their)
    if (mine is None) != (theirs is None):
        if mine is not None:
            yield Claim(
                my, there, (PreferenceEvidence(e.UserUttered.__name__, mine),), is_weak=True
            )
        elif theirs is not None:
            said = PreferenceEvidence(e.UserUttered.__name__, theirs, their.path.name)
            yield Claim(there, my, (said,), is_weak=True)


def _next(each: PathAnswer) -> int | None:
    """The number of the user's message after it."""
    after = each.path.run(each.at)
    messages = each.path.messages[after : after + 1]
    is_users = bool(messages) and messages[0].side == "user"
    return each.path.seen.numbers[messages[0].first] if is_users else None


# --- single answers -----------------------------------------------------------------------------


def _verdicts(
    paths: Iterable[Path], recorded: Sequence[RecordedEvent], after: int
) -> Iterator[Verdict]:
    """The last rating of each answer that says good or bad, of the answer as it was then."""
    rated = {each.message: each for each in ratings(recorded) if each.is_good is not None}
    for path in paths if rated else ():
        for message in sorted(rated.keys() & path.places.keys()):
            each = rated.pop(message)
            as_rated = version(path, message, each.number)
            is_known = path.messages[as_rated.at].end <= path.whole
            if each.number > after and is_known:
                bounds = path.seen.numbers[0], as_rated.last
                yield Verdict(
                    path.prompt(as_rated.at),
                    as_rated.events,
                    bool(each.is_good),
                    (each.evidence,),
                    bounds,
                )
