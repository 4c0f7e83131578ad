"""What a log shows about how good an answer was: pairs of answers, and single ones judged."""

from __future__ import annotations

import msgspec

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Event


class Preference(msgspec.Struct, frozen=True):
    """Two answers to one prompt, of which the first is the better one.

    prompt: the dialogue up to the answer. chosen, rejected: the events of each answer, numbered on
    from the prompt's. evidence: numbers, in the log, of the events that show which is better.
    """

    prompt: Dialogue
    chosen: tuple[Event, ...]
    rejected: tuple[Event, ...]
    evidence: tuple[int, ...]


class Verdict(msgspec.Struct, frozen=True):
    """An answer that was found good, or bad; its fields are as those of a `Preference`."""

    prompt: Dialogue
    answer: tuple[Event, ...]
    is_good: bool
    evidence: tuple[int, ...]


class Judgements(msgspec.Struct, frozen=True):
    """What is known about the answers of a conversation, in order of the answers."""

    preferences: tuple[Preference, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
