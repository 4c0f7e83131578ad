"""Counts: statistics of the examples of a part, added up as they pass."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.messages import messages
from turnlog.engine.conditions import languages
from turnlog.serializers.shared.codec import Example

Measure = Callable[[str], int]
"""How long a text is."""


Shape = frozenset[str] | None
"""Of a column: the members that are texts in all objects of its lists; None for plain values."""


def words(text: str) -> int:
    """The number of words, separated by white space."""
    return len(text.split())


class Counts(msgspec.Struct):
    """Of one part. lengths: of conversations, in words or tokens; turns: of them too. classes: by
    what is counted, such as roles of messages or intents, how many of each. columns: of the
    examples, in order; filled: how many have each.
    """

    examples: int = 0
    conversations: int = 0
    lengths: Counter[int] = msgspec.field(default_factory=Counter)
    turns: Counter[int] = msgspec.field(default_factory=Counter)
    languages: Counter[str] = msgspec.field(default_factory=Counter)
    classes: dict[str, Counter[str]] = msgspec.field(default_factory=dict)
    columns: dict[str, Shape] = msgspec.field(default_factory=dict)
    filled: Counter[str] = msgspec.field(default_factory=Counter)

    def take(self, dialogue: Dialogue, examples: Sequence[Example], measure: Measure) -> None:
        """Counts a conversation and the examples written of it."""
        said = list(messages(dialogue.numbered()))
        self.conversations += 1
        self.examples += len(examples)
        self.lengths[sum(measure(message.text) for message in said)] += 1
        self.turns[sum(turn.number > 0 for turn in dialogue.turns())] += 1
        self.languages.update({tag for event in dialogue.events for tag in languages(event)})
        self._classify("role", (message.role for message in said))
        self._classify("intent", _intents(dialogue))
        for example in examples:
            if isinstance(example.content, dict):
                for name, held in example.content.items():
                    shape = _shape(held)
                    self.columns[name] = _both(self.columns.get(name, shape), shape)
                    self.filled[name] += 1
                labels = [example.content["label"]] if "label" in example.content else []
                self._classify("label", (str(label).lower() for label in labels))

    @property
    def full_columns(self) -> dict[str, Shape]:
        """The columns that every example has."""
        return {n: shape for n, shape in self.columns.items() if self.filled[n] == self.examples}

    def _classify(self, what: str, found: Iterable[str]) -> None:
        if counted := Counter(found):
            self.classes.setdefault(what, Counter()).update(counted)


def _shape(held: Any) -> Shape:
    if not isinstance(held, list | dict):
        return None
    objects = map(_plain, held) if isinstance(held, list) else ()
    texts = [
        {name for name, value in each.items() if isinstance(value, str)}
        for each in objects
        if isinstance(each, dict)
    ]
    return frozenset(set.intersection(*texts)) if texts and len(texts) == len(held) else frozenset()


def _plain(value: Any) -> Any:
    return json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else value


def _both(one: Shape, other: Shape) -> Shape:
    return None if one is None and other is None else (one or frozenset()) & (other or frozenset())


def _intents(dialogue: Dialogue) -> Iterable[str]:
    for event in dialogue.events:
        if isinstance(event, e.MessageUnderstood) and event.intent is not None:
            yield event.intent.name or "none"


def quantile(counted: Counter[int], share: float) -> int:
    """The smallest value that at least this share of all do not exceed; 0 without values."""
    left = share * counted.total()
    for value, count in sorted(counted.items()):
        left -= count
        if left <= 0:
            return value
    return 0


def doubling(counted: Counter[int]) -> list[tuple[str, int]]:
    """How many are 0, 1, 2 to 3, 4 to 7, … up to the largest."""
    by_bits = Counter[int]()
    for value, count in counted.items():
        by_bits[value.bit_length()] += count
    bars = range(max(by_bits, default=-1) + 1)
    return [(_range(bits), by_bits[bits]) for bits in bars]


def _range(bits: int) -> str:
    least, most = (1 << bits) >> 1, (1 << bits) - 1
    return str(least) if least == most else f"{least:,} to {most:,}"
