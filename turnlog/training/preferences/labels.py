"""Labels: which single answers are good and which are bad."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from turnlog.domain.judgements import Preference, Verdict
from turnlog.training.preferences.claims import Claim, PathAnswer


class Label(msgspec.Struct, frozen=True):
    """A verdict on an answer. owner: the conversation that the answer belongs to. place: the node
    of the prompt, and the digests of the answer.
    """

    owner: str
    place: tuple[int, tuple[bytes, ...]]
    verdict: Verdict

    @classmethod
    def of(cls, answer: PathAnswer, verdict: Verdict) -> Label:
        """A verdict on its own answer, from a rating."""
        return cls(verdict.prompt.name, (answer.node, answer.said), verdict)

    @classmethod
    def of_pair(cls, claim: Claim, pair: Preference) -> Iterator[Label]:
        """The two labels of a preference: the better answer is good, the worse one bad."""
        for answer, events, is_good in (
            (claim.better, pair.chosen, True), (claim.worse, pair.rejected, False),
        ):  # fmt: skip
            verdict = Verdict(pair.prompt, events, is_good, pair.evidence, pair.bounds)
            yield cls(claim.owner, (claim.better.node, answer.said), verdict)


def clear(labels: Iterable[Label]) -> tuple[list[Label], list[str]]:
    """Each answer once, in order of the prompts' lengths, good ones first, with all evidence of its
    conversation; and the owners of answers that are good by one label and bad by another.
    """
    found: dict[object, list[Label]] = defaultdict(list)
    for label in labels:
        found[label.place].append(label)
    kept = [_merged(each) for each in found.values() if _agree(each)]
    kept.sort(key=lambda x: (x.verdict.prompt.last_event, not x.verdict.is_good))
    return kept, [each[0].owner for each in found.values() if not _agree(each)]


def _agree(labels: Sequence[Label]) -> bool:
    return len({label.verdict.is_good for label in labels}) == 1


def _merged(labels: Sequence[Label]) -> Label:
    first = labels[0]
    shown = (x for each in labels if each.owner == first.owner for x in each.verdict.evidence)
    return replace(first, verdict=replace(first.verdict, evidence=tuple(dict.fromkeys(shown))))
