"""Sources of claims: what shows that one answer is better than another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.judgements import PreferenceEvidence
from turnlog.domain.recorded import RecordedEvent
from turnlog.training.preferences.claims import Claim, PathAnswer, answer, version
from turnlog.training.preferences.paths import Path, Rewrite
from turnlog.training.preferences.ratings import Ratings

# --- edited and regenerated ---------------------------------------------------------------------


def rewritten(paths: Iterable[Path], recorded: Sequence[RecordedEvent]) -> Iterator[Claim]:
    """For each answer that was edited or regenerated: its last form and its earlier ones."""
    done: set[int] = set()
    rewrites = [each for each in recorded if isinstance(each.event, Rewrite)]
    for path in paths if rewrites else ():
        for each in rewrites:
            number = each.event.message  # type: ignore[attr-defined]
            if number in path.places and each.number not in done:
                done.add(each.number)
                last = answer(path, at := path.places[number], at + 1)
                yield Claim(last, version(path, number, each.number), (_evidence(path, each),))


def _evidence(path: Path, recorded: RecordedEvent) -> PreferenceEvidence:
    return PreferenceEvidence(type(recorded.event).__name__, recorded.number, path.name)


# --- said in the place of another ---------------------------------------------------------------


def alternatives(paths: Sequence[Path], given: Ratings) -> Iterator[Claim]:
    """Answers to the same prompt: those said last, or rated higher, are better."""
    by_node: dict[int, list[PathAnswer]] = defaultdict(list)
    for path in paths if len(paths) > 1 else ():
        for at, message in enumerate(path.messages):
            if message.side == "assistant":
                by_node[message.node].append(answer(path, at, path.run(at)))
    for answers in by_node.values():
        different = {answer.said[0]: answer for answer in answers}
        if len(different) > 1:
            yield from _gone_on_with(answers, list(different.values()))
            yield from _rated(different.values(), given)


def _gone_on_with(
    answers: Sequence[PathAnswer], different: Sequence[PathAnswer]
) -> Iterator[Claim]:
    """answers: in order of the paths. The evidence is what left an answer, and what led to the
    last.
    """
    last = answers[-1]
    others = [at for at, each in enumerate(answers) if each.said[0] != last.said[0]]
    began = answers[others[-1] + 1].path.way.began
    for other in different:
        left = other.path.way.ended
        if began is not None and left is not None:
            is_weak = isinstance(left.event, e.HistoryContinued) and left.event.branch is not None
            path = other.path
            evidence = dict.fromkeys((_evidence(path, left), _evidence(path, began)))
            yield Claim(last, other, tuple(evidence), is_weak)


def _rated(different: Iterable[PathAnswer], given: Ratings) -> Iterator[Claim]:
    for one, other in combinations(different, 2):
        mine, theirs = given.of(one.places), given.of(other.places)
        if mine is not None and theirs is not None and (order := mine.compared(theirs)):
            better, worse = (one, other) if order > 0 else (other, one)
            evidence = sorted((mine.evidence, theirs.evidence), key=lambda x: x.event)
            yield Claim(better, worse, tuple(evidence))


# --- a person's in the place of the bot's -------------------------------------------------------


def taken_over(paths: Iterable[Path]) -> Iterator[Claim]:
    """A person took over after the bot's answer and answered the same message.

    A bot that hands over itself says so; that is not a bad answer. An answer that waited for a tool
    is not bad either.
    """
    for path in paths:
        for at in range(1, len(path.messages)):
            before, after = path.messages[at - 1], path.messages[at]
            if after.is_human and before.side == "assistant" and not before.is_human:
                between = range(before.end, after.first)
                takes = (event for event in between if _takes_over(path.seen.events[event]))
                is_waiting = _waits(path.events(at - 1, at))
                if (event := next(takes, None)) is not None and not is_waiting:
                    yield _claim_of(path, at, event)


def _waits(answer: Iterable[e.Event]) -> bool:
    """Whether it has a call whose result is not in it; the calls of a provider's own tools are
    such.
    """
    said = [*answer]
    called = {event.call_id for event in said if isinstance(event, e.ToolCalled)}
    returned = {event.call_id for event in said if isinstance(event, e.ToolReturned)}
    return bool(called - returned)


def _takes_over(event: e.Event) -> bool:
    is_bots = event.actor == "bot" or event.cause is not None
    return isinstance(event, e.HandoverStarted) and not is_bots


def _claim_of(path: Path, at: int, event: int) -> Claim:
    begin = at
    while begin and path.run(begin - 1) == at:
        begin -= 1
    worse, better = answer(path, begin, at), answer(path, at, path.run(at))
    evidence = PreferenceEvidence(e.HandoverStarted.__name__, path.seen.numbers[event], path.name)
    return Claim(better.behind(worse), worse, (evidence,))


# --- said in a fork -----------------------------------------------------------------------------


def beside(
    paths: Sequence[Path], shared: int, others: dict[int, list[PathAnswer]], given: Ratings
) -> Iterator[Claim]:
    """Answers of a conversation and of others with the same past, to the same prompt: those rated
    higher are better, or the only ones after which the user continues.

    shared: the number of its last event that others have too. others: their answers, by the node of
    the prompt; adds its own.
    """
    said = {(m.node, m.said) for path in paths for m in path.messages}
    own = _own(paths, shared)
    for my in own:
        for their in others[my.node]:
            if their.places[0] not in said:
                yield from _compared(my, their, given)
    for my in own:
        others[my.node].append(my)


def _compared(my: PathAnswer, their: PathAnswer, given: Ratings) -> Iterator[Claim]:
    last = their.events[-1]
    place = PreferenceEvidence(type(last).__name__, their.last, their.path.name)
    there = replace(their.behind(my), last=my.last)
    for claim in (*_rated((my, there), given), *_gone_on(my, their, there)):
        yield replace(claim, evidence=(*claim.evidence, place))


def _own(paths: Iterable[Path], shared: int) -> list[PathAnswer]:
    """Each answer that it does not share once, on the newest path."""
    found: dict[int, PathAnswer] = {}
    for path in (path for path in paths if path.way.counts):
        for at, message in enumerate(path.messages):
            if message.side == "assistant" and path.number(at) > shared:
                found[path.number(at)] = answer(path, at, path.run(at))
    return [*found.values()]


def _gone_on(my: PathAnswer, their: PathAnswer, there: PathAnswer) -> Iterator[Claim]:
    """there: the other's, to the prompt of mine."""
    mine, theirs = _next(my), _next(their)
    if (mine is None) != (theirs is None):
        better, worse = (my, there) if theirs is None else (there, my)
        yield Claim(better, worse, (mine or theirs,), is_weak=True)  # type: ignore[arg-type]


def _next(each: PathAnswer) -> PreferenceEvidence | None:
    """The user's message after it."""
    after = each.path.run(each.at)
    messages = each.path.messages[after : after + 1]
    if not messages or messages[0].side != "user":
        return None
    number = each.path.seen.numbers[messages[0].first]
    return PreferenceEvidence(e.UserUttered.__name__, number, each.path.name)
