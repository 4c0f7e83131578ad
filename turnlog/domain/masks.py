"""Hidden values, masked wherever they come up: in texts, in slots, in whatever an event holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import Context
from turnlog.domain.values import same

SHORTEST = 4
"""Characters of a value that is masked inside texts; a shorter one is hidden as a slot alone."""

BLOCK = "█"
"""Takes the place of each character of a hidden value, so that offsets into the text stay right."""

_NAMES = frozenset((
    "timestamp", "message_id", "actor", "channel", "versions", "cause", "name", "message", "token",
    "call_id", "unit", "state", "key", "field", "kind", "to", "by", "on_timeout", "user", "other",
    "policy", "event", "entity", "slot", "service", "act", "slots",
))  # fmt: skip
"""The fields that name things: they are never masked. Slots are masked by name and value."""


class HiddenValue(msgspec.Struct, frozen=True):
    """since: number of the redacted message; until: of the later one that set the value again.

    slots: the names it was set under. tokens: how it looks inside a text.
    """

    value: Any
    slots: frozenset[str]
    tokens: frozenset[str]
    since: int
    until: float

    def holds(self, number: int) -> bool:
        """Whether it is hidden in the event of that number."""
        return self.since < number < self.until


def tokens(value: Any) -> frozenset[str]:
    """How a value looks inside a text; nothing where it is too short to be told from others."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return frozenset()
    looks = {str(value).strip()}
    if isinstance(value, float) and value.is_integer():
        looks.add(str(int(value)))
    return frozenset(look for look in looks if len(look) >= SHORTEST)


def mentions(text: str, tokens: Iterable[str]) -> bool:
    """Whether one of the tokens is in a text, as a whole word, in any case of letters."""
    found = _pattern(tokens)
    return found is not None and found.search(text) is not None


def _pattern(tokens: Iterable[str]) -> re.Pattern[str] | None:
    longest_first = sorted(tokens, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE) if either else None


class Mask:
    """Masks some hidden values. texts: strings that are masked where they are whole."""

    def __init__(self, values: Sequence[HiddenValue], texts: Iterable[str] = ()) -> None:
        self._values = values
        self._texts = frozenset(texts)
        self._pattern = _pattern({token for value in values for token in value.tokens})

    def event(self, event: e.Event) -> e.Event:
        if isinstance(event, e.SlotSet) and self._hides_slot(event.name, event.value):
            return replace(event, value=None)
        restored = getattr(event, "restored", None)
        masked: e.Event = self._struct(event)
        if isinstance(restored, Context):
            return replace(masked, restored=self.context(restored))
        return replace(masked, restored=self._slots(restored)) if restored else masked

    def context(self, context: Context) -> Context:
        masked: Context = replace(self._struct(context), slots=self._slots(context.slots))
        return masked

    def any(self, value: Any) -> Any:
        """Any value, with the hidden ones in it masked; a number that is hidden becomes None."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, msgspec.Struct):
            return self._struct(value)
        if isinstance(value, list | tuple):
            return type(value)(map(self.any, value))
        if isinstance(value, dict):
            return {self.any(key): self.any(item) for key, item in value.items()}
        return None if self._hides(value) else value

    def json(self, source: bytes) -> bytes:
        """The same of a JSON document; one that cannot be read is not shown at all."""
        try:
            return msgspec.json.encode(self.any(msgspec.json.decode(source)))
        except msgspec.MsgspecError:
            return b"{}"

    def _text(self, text: str) -> str:
        if text in self._texts:
            return BLOCK * len(text)
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: BLOCK * len(found[0]), text)

    def _struct(self, struct: Any) -> Any:
        changed: dict[str, Any] = {}
        for name in struct.__struct_fields__:
            held = getattr(struct, name)
            if held is None or name in _NAMES:
                continue
            if name == "value" and self._hides(held):
                changed |= {"value": None, **_no_place(struct)}
            elif (masked := self.any(held)) != held:
                changed[name] = masked
        return replace(struct, **changed) if changed else struct

    def _slots(self, slots: dict[str, Any]) -> dict[str, Any]:
        return {n: self.any(held) for n, held in slots.items() if not self._hides_slot(n, held)}

    def _hides_slot(self, name: str, value: Any) -> bool:
        return self._hides(value) or any(
            same(hidden.value, value) and name in hidden.slots for hidden in self._values
        )

    def _hides(self, value: Any) -> bool:
        """Whether a value of its own is a hidden one."""
        if isinstance(value, list | dict):
            return any(same(hidden.value, value) for hidden in self._values)
        if self._pattern is None or isinstance(value, bool):
            return False
        is_scalar = isinstance(value, str | int | float)
        return is_scalar and self._pattern.fullmatch(str(value).strip()) is not None


def _no_place(struct: Any) -> dict[str, None]:
    """A masked value has no place in the text any more."""
    return {name: None for name in ("start", "end") if name in struct.__struct_fields__}


def leaves(value: Any) -> Iterator[Any]:
    """The scalars in a value, and the lists that hold them."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
        return
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    if value not in (None, [], ()):
        yield value
