"""The content of a divergence beyond its group's key: whether an accepted group still says the
same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec

from turnlog.domain.plain import dumps
from turnlog.domain.values import same
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.comparing.likeness import INCIDENTAL
from turnlog.replay.divergence import Divergence, Kind
from turnlog.replay.grouping.wording import TOKEN

PlainEvent = Mapping[str, Any]
_NUMBER = re.compile(r"0x[0-9a-f]+|\d[\d.,:]*")


def saying(divergence: Divergence, rules: Rules) -> str:
    """A digest of the parts that differ, without incidental values (ids, confidence, masked text).

    Words and numbers that both texts contain are omitted. Those that only one contains are a part
    of the difference: an accepted change of one price does not accept another.
    """
    expected, actual = (
        msgspec.json.decode(dumps(it)) for it in (divergence.expected, divergence.actual)
    )
    said = _said(divergence.kind, expected, actual, rules)
    return sha256(dumps(said)).hexdigest()[:12]


def _said(kind: Kind, expected: Any, actual: Any, rules: Rules) -> Any:
    match kind:
        case "missing":  # its key names what is missing
            return None
        case "order":
            return [[_named(event) for event in events] for events in (expected, actual)]
        case "error" | "timeout":
            return [_detail(event) for event in (expected, actual)]
        case "extra":  # nothing to compare a number with
            return _without_numbers(_content(actual, rules))
    return _differing(_content(expected, rules), _content(actual, rules))


def alike(one: Divergence, other: Divergence, rules: Rules) -> bool:
    """Whether two divergences of one turn say the same, without incidental values."""
    if (one.kind, one.path) != (other.kind, other.path):
        return False
    pairs = ((one.expected, other.expected), (one.actual, other.actual))
    return all(same(_whole(it, rules), _whole(its, rules)) for it, its in pairs)


def _whole(value: Any, rules: Rules) -> Any:
    if isinstance(value, list):
        return [_whole(event, rules) for event in value]
    if value is None or value["type"] == "BotFailed":  # its detail may contain a memory address
        return _detail(value)
    return _content(value, rules)


def _named(event: PlainEvent) -> list[Any]:
    return [event["type"], event.get("name")]


def _detail(event: PlainEvent | None) -> Any:
    """How it failed, or that an answer came where it had failed."""
    if event is None or event["type"] != "BotFailed":
        return None
    return [event.get("kind"), _NUMBER.sub("#", event.get("detail") or "")]


def _content(event: PlainEvent, rules: Rules) -> dict[str, Any]:
    content = rules.masked({key: value for key, value in event.items() if key not in INCIDENTAL})
    if isinstance(intent := content.get("intent"), dict):
        content["intent"] = intent.get("name")
    if entities := content.get("entities"):
        content["entities"] = [[one.get("entity"), one.get("value")] for one in entities]
    return content


def _differing(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        pairs = {key: (one.get(key), other.get(key)) for key in keys}
        return {key: _differing(*pair) for key, pair in pairs.items() if not same(*pair)}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [_differing(*pair) for pair in zip(one, other, strict=True) if not same(*pair)]
    if isinstance(one, str) and isinstance(other, str):
        words, others = TOKEN.findall(one), TOKEN.findall(other)
        return [_but(words, others), _but(others, words)]
    return [one, other]


def _but(words: Sequence[str], others: Iterable[str]) -> list[str]:
    both = set(others)
    return [word for word in words if word not in both]


def _without_numbers(value: Any) -> Any:
    if isinstance(value, str):
        return _NUMBER.sub("#", value)
    if isinstance(value, dict):
        return {key: _without_numbers(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_without_numbers(part) for part in value]
    return value
