"""What a log shows about the quality of answers: pairs of answers, and single judged ones."""

from __future__ import annotations

import msgspec

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event


class PreferenceEvidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event that shows how good an answer is. kind: its type. event: its number in the log.

    conversation: where it is, if not in the prompt's conversation.
    """

    kind: str
    event: int
    conversation: str | None = None

    def __str__(self) -> str:
        of = "" if self.conversation is None else f" of {self.conversation}"
        return f"{self.kind} {self.event}{of}"


class Preference(msgspec.Struct, frozen=True):
    """Two answers to one prompt, of which the first is better.

    prompt: the dialogue up to the answer. chosen, rejected: the events of each answer, numbered
    after the prompt's. bounds: the numbers, in the log, of its first and last event.
    """

    prompt: Dialogue
    chosen: tuple[Event, ...]
    rejected: tuple[Event, ...]
    evidence: tuple[PreferenceEvidence, ...]
    bounds: tuple[int, int]


class Verdict(msgspec.Struct, frozen=True):
    """An answer judged good or bad; its fields are those of a `Preference`."""

    prompt: Dialogue
    answer: tuple[Event, ...]
    is_good: bool
    evidence: tuple[PreferenceEvidence, ...]
    bounds: tuple[int, int]


class Contradiction(msgspec.Struct, frozen=True):
    """Evidence that contradicts itself on which of two answers is better.

    conversation: the prompt's.
    """

    conversation: str
    evidence: tuple[PreferenceEvidence, ...]


class Judgements(msgspec.Struct, frozen=True):
    """What is known about the answers of a conversation, in their order.

    verdicts: ratings of single messages. labels: the answers of pairs and the rated ones, each
    once; between: how many have no label, because they are better than one answer and worse than
    another. contradictions: of the pairs omitted for that. unlearnt: how many pairs and good
    answers are omitted because the better one must not be learnt (`weight: 0`).
    """

    preferences: tuple[Preference, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    labels: tuple[Verdict, ...] = ()
    between: int = 0
    contradictions: tuple[Contradiction, ...] = ()
    unlearnt: int = 0
