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
    answers = _Answers(name, seen)
    evidence = [each for each in recorded if each.number > after]
    return Judgements(
        tuple(_preferences(answers, recorded, evidence)), tuple(_verdicts(answers, evidence))
    )


class _Answers:
    """The assistant's messages of a dialogue, by the numbers of their events in the log."""

    def __init__(self, name: str, seen: Counted) -> None:
        self._name = name
        self._events = seen.events
        self._bounds: dict[int, tuple[int, int]] = {}
        for group in groups(enumerate(seen.events)):
            if group.side == "assistant":
                first, last = group.members[0][0], group.members[-1][0]
                self._bounds |= {seen.numbers[at]: (first, last + 1) for at, _ in group.members}
        self._places = {number: at for at, number in enumerate(seen.numbers)}

    def __contains__(self, number: int) -> bool:
        return number in self._bounds

    def prompt(self, number: int) -> Dialogue:
        return Dialogue(self._name, self._events[: self._bounds[number][0]])

    def answer(self, number: int) -> tuple[e.Event, ...]:
        first, end = self._bounds[number]
        return self._events[first:end]

    def as_it_was(self, number: int, text: str | None, data: Any) -> tuple[e.Event, ...]:
        """The answer with this in place of what the event of that number says."""
        place = self._places[number] - self._bounds[number][0]
        events = list(self.answer(number))
        changed = {"text": text} | ({"data": data} if hasattr(events[place], "data") else {})
        events[place] = replace(events[place], **changed)
        return tuple(events)


def _preferences(
    answers: _Answers, recorded: Sequence[RecordedEvent], evidence: Sequence[RecordedEvent]
) -> Iterator[Preference]:
    """Of each answer that was edited or regenerated, what it was at last before what it was."""
    said: dict[int, Any] = {each.number: each.event for each in recorded}
    rewrites: dict[int, list[RecordedEvent]] = defaultdict(list)
    for each in evidence:
        if isinstance(each.event, e.MessageEdited | e.MessageRegenerated):
            rewrites[each.event.message].append(each)
    for number in sorted(rewrites.keys() & said.keys()):
        if number in answers and hasattr(said[number], "text"):
            yield from _rewritten(answers, number, said[number], rewrites[number])


def _rewritten(
    answers: _Answers, number: int, first: Any, rewrites: Sequence[RecordedEvent]
) -> Iterator[Preference]:
    chosen = answers.answer(number)
    before: Any = first
    for rewrite in rewrites:
        data = before.data if hasattr(before, "data") else getattr(first, "data", None)
        rejected = answers.as_it_was(number, before.text, data)
        if rejected != chosen and (before.text or "").strip():
            yield Preference(answers.prompt(number), chosen, rejected, (rewrite.number,))
        before = rewrite.event


def _verdicts(answers: _Answers, evidence: Sequence[RecordedEvent]) -> Iterator[Verdict]:
    """The last rating of each answer that says good or bad; 1 of several stars says neither."""
    rated: dict[int, tuple[int, bool]] = {}
    ratings = [(each.number, each.event) for each in evidence]
    given = [(n, event) for n, event in ratings if isinstance(event, e.MessageRated)]
    are_stars = any(good(event.rating) is None for _, event in given if _is_number(event.rating))
    for number, event in given:
        is_good = None if are_stars and _is_number(event.rating) else good(event.rating)
        if is_good is not None and event.message in answers:
            rated[event.message] = number, is_good
    for message, (number, is_good) in sorted(rated.items()):
        yield Verdict(answers.prompt(message), answers.answer(message), is_good, (number,))


def _is_number(rating: float | str | None) -> bool:
    return isinstance(rating, int | float)


def good(rating: float | str | None) -> bool | None:
    """Whether a rating says good or bad; None where that is not clear, as of 3 stars."""
    if isinstance(rating, str):
        word = rating.strip().lower()
        return True if word in _GOOD else False if word in _BAD else None
    return True if rating == 1 else False if rating in (0, -1) else None
