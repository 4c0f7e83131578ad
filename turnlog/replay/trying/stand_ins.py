"""Replaces words and numbers consistently, so that no one can be recognised (ADR 21).

A word has the same stand-in wherever it occurs: in texts, values, names, addresses and ids, in
upper and lower case. A stand-in has the length and shape of its word, so that places in texts,
dates and addresses keep their form. It depends only on the order in which words occur.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import count, product
from typing import Any

from msgspec.structs import replace

from turnlog.domain.events import Event
from turnlog.domain.values import RawJson
from turnlog.serializers.shared.plain import from_plain, to_plain

WORD = re.compile(r"[^\W_]+")
"""Letters and digits; everything between them stays."""

_NAMES = frozenset((
    "type", "call_id", "cause", "message", "event", "to", "timestamp", "actor", "is_error",
    "confidence", "intent", "entity", "start", "end", "role", "kind", "policy", "trial", "server",
))  # fmt: skip
"""Fields of events and entities about how a bot is built, or where something is."""

_NAMED_BY_PEOPLE = ("UserUttered", "BotUttered", "AgentUttered")
"""Events whose `name` is a person's."""


def words(value: Any) -> Iterator[str]:
    """The words of a plain value, including keys, in lower case."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from words(key)
            yield from words(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from words(item)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield from (word.casefold() for word in WORD.findall(str(value)))


def said_words(event: Event) -> Iterator[str]:
    """The words of an event that are replaced."""
    for name, value in _replaceable(to_plain(event)):
        held: Any = value
        if _is_understood(name, value):
            held = [each.get("value") for each in value]
        elif _has_parameters(name, value):
            held = list(value.values())
        yield from words(held)


class StandIns:
    """kept: words that stay, in lower case. Every other word of `known` has a stand-in."""

    def __init__(self, known: Iterable[str], kept: Collection[str]) -> None:
        self._stand_ins: dict[str, str] = {}
        fresh: dict[str, Iterator[str]] = {}
        used = {*known, *kept}
        for word in dict.fromkeys(known):
            if word not in kept:
                candidates = fresh.setdefault(_shape(word), _candidates(_shape(word)))
                stand_in = next(each for each in candidates if each not in used)
                used.add(stand_in)
                self._stand_ins[word] = stand_in

    def text(self, text: str) -> str:
        """The text with stand-ins for its words."""
        return WORD.sub(lambda found: self._word(found[0]), text)

    def value(self, value: Any) -> Any:
        """A plain value with stand-ins in its texts, keys and numbers."""
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, RawJson):
            return self.value(json.loads(value.json))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value)
        return value

    def _number(self, value: float) -> float:
        try:
            return type(value)(self.text(repr(value)))
        except ValueError:  # a power of ten
            return type(value)(1)

    def event(self, event: Event) -> Event:
        """An event with stand-ins, without what no bot needs: ids, channel, versions, foreign
        fields.
        """
        bare = replace(event, extra=None, message_id=None, channel=None, versions=None)
        plain = to_plain(bare)
        changed = {name: self._field(name, value) for name, value in _replaceable(plain)}
        return from_plain({**plain, **changed})

    def _field(self, name: str, value: Any) -> Any:
        if _is_understood(name, value):
            return [{**each, "value": self.value(each.get("value"))} for each in value]
        if _has_parameters(name, value):
            return {key: self.value(item) for key, item in value.items()}
        return self.value(value)

    def _word(self, word: str) -> str:
        stand_in = self._stand_ins.get(word.casefold())
        return word if stand_in is None else _as_written(stand_in, word)


def _replaceable(plain: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of an event in plain form that may identify a person."""
    for name, value in plain.items():
        is_built = name == "name" and plain["type"] not in _NAMED_BY_PEOPLE
        if name not in _NAMES and not is_built:
            yield name, value


def _is_understood(field: str, value: Any) -> bool:
    """Whether these are entities of a message; a reminder's may have any form."""
    if field != "entities" or not isinstance(value, list):
        return False
    return all(isinstance(each, dict) for each in value)


def _has_parameters(field: str, value: Any) -> bool:
    """Whether the keys of a value describe how a tool or a log is built."""
    return field in ("arguments", "traits") and isinstance(value, dict)


def _as_written(stand_in: str, word: str) -> str:
    if word.isupper():
        return stand_in.upper()
    return stand_in.capitalize() if word[0].isupper() else stand_in


_CONSONANTS, _VOWELS, _DIGITS = "bdfgklmnprstvz", "aeiou", "1234567890"


def _shape(word: str) -> str:
    """Its shape: where it has digits and where letters."""
    return "".join("1" if character.isdigit() else "a" for character in word)


def _candidates(shape: str) -> Iterator[str]:
    """Possible stand-ins with that shape, and finally longer ones."""
    letters = count()
    choices = [
        _DIGITS if each == "1" else (_CONSONANTS, _VOWELS)[next(letters) % 2] for each in shape
    ]
    for chosen in product(*reversed(choices)):
        yield "".join(reversed(chosen))
    yield from _candidates(shape + shape[-1])
