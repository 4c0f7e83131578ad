"""Preferences: which of two answers was the better one, and by what that is known.

Sources, so far: answers that were edited or regenerated, and ratings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.counted import Counted
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.judgements import Judgements, Preference, Verdict
from turnlog.domain.message_groups import groups
from turnlog.domain.recorded import RecordedEvent

_GOOD = frozenset(
    ("up", "thumbs_up", "thumbsup", "good", "positive", "like", "helpful", "yes", "👍")
)
_BAD = frozenset(
    ("down", "thumbs_down", "thumbsdown", "bad", "negative", "dislike", "unhelpful", "no", "👎")
)


def judgements(
    name: str, seen: Counted, recorded: Sequence[RecordedEvent], after: int = 0
) -> Judgements:
    """What is known about a conversation's answers.

    seen: what counts of the events in `recorded`; prompts and answers are dialogues of it. after:
    evidence up to this number is another conversation's, a fork of which this is.
    """
    answers = _Answers(name, seen, recorded)
    evidence = [each for each in recorded if each.number > after]
    return Judgements(tuple(_preferences(answers, evidence)), tuple(_verdicts(answers, evidence)))


class _Answers:
    """The assistant's messages of a dialogue, by the numbers of their events in the log."""

    def __init__(self, name: str, seen: Counted, recorded: Sequence[RecordedEvent]) -> None:
        self._name = name
        self._events = seen.events
        self._bounds: dict[int, tuple[int, int]] = {}
        for group in groups(enumerate(seen.events)):
            if group.side == "assistant":
                first, last = group.members[0][0], group.members[-1][0]
                self._bounds |= {seen.numbers[at]: (first, last + 1) for at, _ in group.members}
        self._places = {number: at for at, number in enumerate(seen.numbers)}
        self._versions: dict[int, list[RecordedEvent]] = defaultdict(list)
        for each in recorded:
            is_rewrite = isinstance(each.event, e.MessageEdited | e.MessageRegenerated)
            number = _message(each) if is_rewrite else each.number
            if number in self._bounds:
                self._versions[number].append(each)

    def __contains__(self, number: int) -> bool:
        return number in self._bounds

    def prompt(self, number: int) -> Dialogue:
        return Dialogue(self._name, self._events[: self._bounds[number][0]])

    def answer(self, number: int) -> tuple[e.Event, ...]:
        """As it is after all that was changed in it."""
        first, end = self._bounds[number]
        return self._events[first:end]

    def before(self, number: int, then: int) -> tuple[e.Event, ...]:
        """As it was before the event `then` of the log."""
        versions = [each for each in self._versions[number] if each.number < then]
        if len(versions) == len(self._versions[number]):
            return self.answer(number)
        first: Any = versions[0].event
        changed: Any = versions[-1].event
        fields = {name: getattr(first, name) for name in ("text", "data") if hasattr(first, name)}
        fields |= {name: getattr(changed, name) for name in fields if hasattr(changed, name)}
        place = self._places[number] - self._bounds[number][0]
        events = list(self.answer(number))
        events[place] = replace(events[place], **fields)
        return tuple(events)


def _preferences(answers: _Answers, evidence: Sequence[RecordedEvent]) -> Iterator[Preference]:
    """Of each answer that was edited or regenerated, what it is at last and what it was before."""
    for each in sorted(evidence, key=_message):
        rewrite = each.event
        if isinstance(rewrite, e.MessageEdited | e.MessageRegenerated):
            number = rewrite.message
            if number in answers:
                chosen, rejected = answers.answer(number), answers.before(number, each.number)
                if chosen != rejected and _says_something(rejected):
                    prompt = answers.prompt(number)
                    yield Preference(prompt, chosen, rejected, (each.number,))


def _message(recorded: RecordedEvent) -> int:
    """The number of the message that an event is about."""
    return getattr(recorded.event, "message", None) or 0


def _says_something(answer: Sequence[e.Event]) -> bool:
    return any((getattr(event, "text", None) or "").strip() for event in answer)


def _verdicts(answers: _Answers, evidence: Sequence[RecordedEvent]) -> Iterator[Verdict]:
    """The last rating of each answer that says good or bad; 1 of several stars says neither.

    The answer is as it was when it was rated.
    """
    rated: dict[int, tuple[int, bool]] = {}
    ratings = [(each.number, each.event) for each in evidence]
    given = [(n, event) for n, event in ratings if isinstance(event, e.MessageRated)]
    are_stars = any(good(event.rating) is None for _, event in given if _is_number(event.rating))
    for number, event in given:
        is_good = None if are_stars and _is_number(event.rating) else good(event.rating)
        if is_good is not None and event.message in answers:
            rated[event.message] = number, is_good
    for message, (number, is_good) in sorted(rated.items()):
        answer = answers.before(message, number)
        yield Verdict(answers.prompt(message), answer, is_good, (number,))


def _is_number(rating: float | str | None) -> bool:
    return isinstance(rating, int | float)


def good(rating: float | str | None) -> bool | None:
    """Whether a rating says good or bad; None where that is not clear, as of 3 stars."""
    if isinstance(rating, str):
        word = rating.strip().lower()
        return True if word in _GOOD else False if word in _BAD else None
    return True if rating == 1 else False if rating in (0, -1) else None
