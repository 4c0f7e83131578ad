"""Preferences: which of two answers was the better one, and by what that is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.judgements import Evidence, Judgements, Verdict
from turnlog.domain.recorded import RecordedEvent
from turnlog.training.claims import Answer, Claim, settled
from turnlog.training.paths import Path, Rewrite, Tree, digest, ways
from turnlog.training.ratings import Ratings, ratings

_SHOWING = (e.MessageRated, e.MessageEdited, e.MessageRegenerated, e.HandoverStarted)


def judgements(name: str, recorded: Sequence[RecordedEvent], after: int = 0) -> Judgements:
    """What is known about the answers of the conversation that goes by that name.

    after: what evidence up to this number shows is another conversation's, a fork of which this is.
    """
    found = ways(recorded)
    if len(found) < 2 and not any(isinstance(each.event, _SHOWING) for each in recorded):
        return Judgements()
    tree = Tree()
    paths = [Path(name, tree, way, recorded) for way in found]
    given = Ratings(paths, recorded)
    counting = [path for path in paths if path.way.counts]
    claims = [
        *_rewritten(counting, recorded), *_taken_over(counting), *_alternatives(paths, given),
    ]  # fmt: skip
    usable = (claim for claim in claims if claim.better.is_usable and claim.worse.is_usable)
    preferences, contradictions = settled(usable, given, after)
    verdicts = tuple(_verdicts(counting, recorded, after))
    return Judgements(tuple(preferences), verdicts, tuple(contradictions))


def _evidence(recorded: RecordedEvent) -> Evidence:
    return Evidence(type(recorded.event).__name__, recorded.number)


def _answer(path: Path, at: int, end: int) -> Answer:
    """Some messages of a path."""
    messages = path.messages[at:end]
    places = tuple((message.node, message.said) for message in messages)
    return Answer(path, at, path.events(at, end), messages[0].node, places, path.number(end - 1))


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
                last = _answer(path, at := path.places[number], at + 1)
                yield Claim(last, _version(path, number, each.number), (_evidence(each),))


def _version(path: Path, number: int, then: int) -> Answer:
    """A message as it was before an event."""
    at = path.places[number]
    events, node = path.before(number, then), path.messages[at].node
    return Answer(path, at, events, node, ((node, digest(events)),), path.number(at))


# --- said in the place of another ---------------------------------------------------------------


def _alternatives(paths: Sequence[Path], given: Ratings) -> Iterator[Claim]:
    """Answers to the same prompt: those said last, or rated higher, are better."""
    told: dict[int, list[Answer]] = defaultdict(list)
    for path in paths if len(paths) > 1 else ():
        for at, message in enumerate(path.messages):
            if message.side == "assistant":
                told[message.node].append(_answer(path, at, path.run(at)))
    for answers in told.values():
        different = {answer.said[0]: answer for answer in answers}
        if len(different) > 1:
            yield from _gone_on_with(answers, list(different.values()))
            yield from _rated(different.values(), given)


def _gone_on_with(answers: Sequence[Answer], different: Sequence[Answer]) -> Iterator[Claim]:
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


def _rated(different: Iterable[Answer], given: Ratings) -> Iterator[Claim]:
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
                for event in range(before.end, after.first):
                    if _takes_over(path.seen.events[event]):
                        yield _claim_of(path, at, event)
                        break


def _takes_over(event: e.Event) -> bool:
    is_bots = event.actor == "bot" or event.cause is not None
    return isinstance(event, e.HandoverStarted) and not is_bots


def _claim_of(path: Path, at: int, event: int) -> Claim:
    begin = at
    while begin and path.run(begin - 1) == at:
        begin -= 1
    worse, better = _answer(path, begin, at), _answer(path, at, path.run(at))
    length = path.messages[begin].first
    events = tuple(
        replace(each, cause=None) if (each.cause or 0) > length else each for each in better.events
    )
    evidence = Evidence(e.HandoverStarted.__name__, path.seen.numbers[event])
    return Claim(replace(better, at=begin, node=worse.node, events=events), worse, (evidence,))


# --- single answers -----------------------------------------------------------------------------


def _verdicts(
    paths: Iterable[Path], recorded: Sequence[RecordedEvent], after: int
) -> Iterator[Verdict]:
    """The last rating of each answer that says good or bad, of the answer as it was then."""
    rated = {each.message: each for each in ratings(recorded) if each.is_good is not None}
    for path in paths if rated else ():
        for message in sorted(rated.keys() & path.places.keys()):
            each = rated.pop(message)
            answer = _version(path, message, each.number)
            if each.number > after:
                bounds = path.seen.numbers[0], answer.last
                yield Verdict(
                    path.prompt(answer.at),
                    answer.events,
                    bool(each.is_good),
                    (each.evidence,),
                    bounds,
                )
