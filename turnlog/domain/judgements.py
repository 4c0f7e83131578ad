"""What a log shows about how good an answer was: pairs of answers, and single ones judged."""

from __future__ import annotations

import msgspec

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event


class PreferenceEvidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event that shows how good an answer is. kind: its type. event: its number in the log.

    conversation: where it is, if that is another one than the prompt's.
    """

    kind: str
    event: int
    conversation: str | None = None

    def __str__(self) -> str:
        of = "" if self.conversation is None else f" of {self.conversation}"
        return f"{self.kind} {self.event}{of}"


class Preference(msgspec.Struct, frozen=True):
    """Two answers to one prompt, of which the first is the better one.

    prompt: the dialogue up to the answer. chosen, rejected: the events of each answer, numbered on
    from the prompt's. bounds: numbers, in the log, of the first and the last event it is of.
    """

    prompt: Dialogue
    chosen: tuple[Event, ...]
    rejected: tuple[Event, ...]
    evidence: tuple[PreferenceEvidence, ...]
    bounds: tuple[int, int]


class Verdict(msgspec.Struct, frozen=True):
    """An answer that was found good, or bad; its fields are as those of a `Preference`."""

    prompt: Dialogue
    answer: tuple[Event, ...]
    is_good: bool
    evidence: tuple[PreferenceEvidence, ...]
    bounds: tuple[int, int]


class Contradiction(msgspec.Struct, frozen=True):
    """Evidence of which some says that an answer is better than another, and some that it is not.

    conversation: whose prompt it is.
    """

    conversation: str
    evidence: tuple[PreferenceEvidence, ...]


class Judgements(msgspec.Struct, frozen=True):
    """What is known about the answers of a conversation, in order of the answers.

    verdicts: ratings of single messages. labels: the answers of pairs and those that were rated,
    each once; between: how many have none, as they are better than one and worse than another.
    contradictions: of pairs that are therefore left out. unlearnt: how many pairs and good answers
    are left out because a model should not learn the better one (`weight: 0`).
    """

    preferences: tuple[Preference, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    labels: tuple[Verdict, ...] = ()
    between: int = 0
    contradictions: tuple[Contradiction, ...] = ()
    unlearnt: int = 0
