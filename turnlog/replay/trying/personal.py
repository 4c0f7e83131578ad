"""The words of a conversation that may identify people: values that the log knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from turnlog.domain import events as e
from turnlog.domain import hidden_values
from turnlog.domain.traits import ValueChange
from turnlog.replay.trying.stand_ins import WORD, words

_HARMLESS = frozenset((
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january",
    "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december", "today", "tomorrow", "yesterday", "tonight", "noon", "midnight",
    "morning", "afternoon", "evening", "one", "two", "three", "four", "five", "six", "seven",
    "eight", "nine", "ten", "eleven", "twelve", "true", "false", "yes", "no", "none", "null",
))  # fmt: skip
"""Common words."""

_SMALL = re.compile(r"\d{0,2}(?:am|pm|h)?|[^\d]", re.ASCII)
"""Small numbers, hours and single letters."""


def is_harmless(word: str) -> bool:
    """Whether a word is common, or a small number."""
    return word in _HARMLESS or _SMALL.fullmatch(word) is not None


def personal_words(id: str, events: Iterable[e.Event]) -> set[str]:
    """In lower case: words of slot and entity values, identities, arguments and results, ids, data
    that came with a message, and words that look like a name, an address or a number in users'
    messages.
    """
    found = {word for event in events for value in _values(event) for word in words(value)}
    found |= set(words(id))
    return {word for word in found if not is_harmless(word)}


def leaves(value: Any) -> Iterator[Any]:
    """The scalars in a value; keys are not values."""
    return (leaf for leaf in hidden_values.leaves(value) if not isinstance(leaf, list | tuple))


def _values(event: e.Event) -> Iterator[Any]:
    """What an event says about a person."""
    yield event.message_id
    yield from leaves(event.extra)
    if isinstance(event, ValueChange):
        yield from leaves([getattr(event, "value", None), getattr(event, "items", None)])
    elif isinstance(event, e.MessageUnderstood | e.EntitiesAdded):
        yield from (leaf for entity in event.entities for leaf in leaves([entity.value]))
    elif isinstance(event, e.UserIdentified):
        yield event.user
        yield from leaves(event.traits)
    elif isinstance(event, e.IdentityMerged):
        yield from (event.user, event.other)
    elif isinstance(event, e.ToolCalled):
        yield from leaves(event.arguments)
    elif isinstance(event, e.ToolReturned):
        yield from leaves([event.result])
    elif isinstance(event, e.UserUttered):
        yield from (event.name, *leaves(event.data), *_looking_like_names(event.text or ""))


def _looking_like_names(text: str) -> Iterator[str]:
    """Words with a capital letter within a sentence, with digits, or of an address."""
    for found in WORD.finditer(text):
        word, before = found[0], text[: found.start()].rstrip()
        begins = not before or before[-1] in ".!?:\n"
        is_capital = word[0].isupper() and not begins and word != "I"
        if is_capital or any(map(str.isdigit, word)) or _is_in_address(text, found):
            yield word


def _is_in_address(text: str, word: re.Match[str]) -> bool:
    start = max(text.rfind(" ", 0, word.start()), text.rfind("\n", 0, word.start())) + 1
    ends = [end for end in (text.find(" ", word.end()), text.find("\n", word.end())) if end != -1]
    token = text[start : min(ends, default=len(text))]
    return "@" in token or "://" in token or token.startswith("www.")
