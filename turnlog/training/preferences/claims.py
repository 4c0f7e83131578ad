"""Claims that one answer is better than another, and which of them hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.judgements import (
    Contradiction,
    Preference,
    PreferenceEvidence,
)
from turnlog.training.preferences.paths import Path, digest
from turnlog.training.preferences.ratings import Place, Ratings


class PathAnswer(msgspec.Struct, frozen=True):
    """What the assistant said at a place of a path. events: numbered on from the prompt's. places:
    of its messages. last: the number of its last event in the log. is_usable: it answers something,
    is complete, and no part of it or of its prompt was erased.
    """

    path: Path
    at: int
    events: tuple[e.Event, ...]
    places: tuple[Place, ...]
    last: int
    is_usable: bool

    @property
    def node(self) -> int:
        """The node of its prompt: the messages before it."""
        return self.path.messages[self.at].node

    @property
    def said(self) -> tuple[bytes, ...]:
        """Digests of its messages, in order."""
        return tuple(said for _, said in self.places)

    @property
    def is_learnt(self) -> bool:
        """Whether no message of it has weight 0."""
        return all((event.extra or {}).get("weight") != 0 for event in self.events)

    @property
    def says_something(self) -> bool:
        """Whether it has a call or a text that is not blank."""
        return any(
            isinstance(x, e.ToolCalled) or (getattr(x, "text", None) or "").strip()
            for x in self.events
        )

    def behind(self, other: PathAnswer) -> PathAnswer:
        """The same answer behind the prompt of another one."""
        before, after = (x.path.messages[x.at].first for x in (self, other))
        events = tuple(_moved(event, before, after) for event in self.events)
        return replace(self, path=other.path, at=other.at, events=events)


def answer(path: Path, at: int, end: int) -> PathAnswer:
    """Some messages of a path."""
    messages, events = path.messages[at:end], path.events(at, end)
    places = tuple((message.node, message.said) for message in messages)
    return PathAnswer(path, at, events, places, path.number(end - 1), _is_usable(path, at, end))


def version(path: Path, number: int, then: int) -> PathAnswer:
    """A message as it was before the event `then`."""
    at = path.places[number]
    events, node = path.before(number, then), path.messages[at].node
    places = ((node, digest(events)),)
    return PathAnswer(path, at, events, places, path.number(at), _is_usable(path, at, at + 1))


def _is_usable(path: Path, at: int, end: int) -> bool:
    is_whole = all(message.is_whole for message in path.messages[at:end])
    return at > 0 and is_whole and path.messages[end - 1].end <= path.whole


def _moved(event: e.Event, before: int, after: int) -> e.Event:
    """The answer with its references shifted to a prompt of another length."""
    named = {name: getattr(event, name, None) for name in ("cause", "message")}
    moved = {
        name: number + after - before if number > before else None
        for name, number in named.items()
        if number is not None
    }
    changed = before != after and moved
    result: e.Event = replace(event, **moved) if changed else event
    return result


class Claim(msgspec.Struct, frozen=True):
    """is_weak: it shows only which branch was taken, and gives way to edits and ratings."""

    better: PathAnswer
    worse: PathAnswer
    evidence: tuple[PreferenceEvidence, ...]
    is_weak: bool = False

    @property
    def owner(self) -> str:
        """The conversation whose prompt it has."""
        return self.better.path.name

    @property
    def pair(self) -> tuple[int, frozenset[tuple[bytes, ...]]]:
        """The two answers to one prompt, in an order that does not depend on which is better."""
        return self.better.node, frozenset((self.better.said, self.worse.said))


class Settlement(msgspec.Struct):
    """held: one claim for each pair, in order of the prompts. unlearnt: the owners of the pairs
    whose better answer has weight 0.
    """

    held: list[Claim] = []
    contradictions: list[Contradiction] = []
    unlearnt: list[str] = []


def settled(claims: Iterable[Claim], ratings: Ratings) -> Settlement:
    """Which claims hold: each pair once, and none that other claims or ratings contradict."""
    result = Settlement()
    for each in _of_pairs(claims):
        about = [claim for claim in each if not claim.is_weak] or each
        claim = _merged(about)
        if evidence := _against(about, ratings):
            found = Contradiction(claim.owner, shown_in(claim.owner, evidence))
            result.contradictions.append(found)
        elif claim.better.is_learnt:
            result.held.append(claim)
        else:
            result.unlearnt.append(claim.owner)
    result.held.sort(key=lambda claim: (claim.better.at, [one.event for one in claim.evidence]))
    return result


def _of_pairs(claims: Iterable[Claim]) -> Iterable[list[Claim]]:
    """The claims grouped by pair of answers to one prompt."""
    found: dict[object, list[Claim]] = defaultdict(list)
    for claim in claims:
        is_usable = claim.better.is_usable and claim.worse.is_usable
        if is_usable and claim.worse.says_something and claim.better.said != claim.worse.said:
            found[claim.pair].append(claim)
    return found.values()


def _against(claims: Sequence[Claim], ratings: Ratings) -> tuple[PreferenceEvidence, ...]:
    """All evidence, if some of it contradicts the rest; empty if it agrees."""
    first, evidence = claims[0], _merged(claims).evidence
    if any(claim.better.said != first.better.said for claim in claims):
        return evidence
    better, worse = ratings.of(first.better.places), ratings.of(first.worse.places)
    given = tuple(rating.evidence for rating in (better, worse) if rating is not None)
    order = better.compared(worse) if better and worse else 0
    is_doubted = (better and better.is_good is False) or (worse and worse.is_good)
    if order < 0 or (order == 0 and is_doubted):
        return tuple(dict.fromkeys((*evidence, *given)))
    return ()


def _merged(claims: Sequence[Claim]) -> Claim:
    first = claims[0]
    evidence = tuple(dict.fromkeys(one for claim in claims for one in claim.evidence))
    return Claim(first.better, first.worse, evidence)


def shown_in(owner: str, evidence: Iterable[PreferenceEvidence]) -> tuple[PreferenceEvidence, ...]:
    """The evidence without the name of the conversation that it is shown in."""
    return tuple(
        replace(each, conversation=None) if each.conversation == owner else each
        for each in evidence
    )


def preference(claim: Claim) -> Preference:
    """The claim as a preference behind the better answer's prompt."""
    better, worse = claim.better, claim.worse.behind(claim.better)
    bounds = better.path.seen.numbers[0], max(better.last, worse.last)
    prompt, evidence = better.path.prompt(better.at), shown_in(claim.owner, claim.evidence)
    return Preference(prompt, better.events, worse.events, evidence, bounds)
