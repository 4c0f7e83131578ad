"""Removes words from events: all words of a hidden event, and hidden values anywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache, cached_property
from typing import Any

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.hidden_values import HiddenValue, pattern
from turnlog.domain.plain import fields
from turnlog.domain.values import same

BLOCK = "█"
"""Replaces each character of a hidden value, so that offsets into the text stay right."""

WORDS = frozenset((
    "text", "data", "intent", "entities", "frames", "comment", "extra", "value", "items", "result",
    "arguments", "tools", "detail", "entry", "action_text", "content", "goal", "reason", "receipt",
    "traits", "topic", "update", "raw", "signature", "opaque", "uri", "sha256", "filename",
    "details", "delta", "body", "usage",
))  # fmt: skip
"""The fields of events that may contain what was said: a hidden event has them at their
defaults.
"""

_EMPTY = {"entry": b"{}", "update": "[]", "reason": ""}
"""The values of those fields that have no default."""

PARTS = frozenset((
    "tags", "rating", "acts", "spans", "values", "canonical_values", "service_call",
    "service_results", "booked", "listed",
))  # fmt: skip
"""Further fields of events and their parts in which hidden values are masked.

All others are names and numbers, which are shown: of slots, keys, tools, users.
"""


_FREE = frozenset(("metadata", "provider_details", "vendor_metadata", "details", "args"))
"""Keys under which a framework stores others' content: none of it is a name."""


def without_words(event: e.Event) -> e.Event:
    """The event without the fields that may contain what was said."""
    shown: e.Event = replace(event, **_defaults(type(event)))
    return shown


@cache
def _defaults(kind: type[e.Event]) -> dict[str, Any]:
    said = ((f.name, f.default) for f in fields(kind) if f.name in WORDS)
    return {name: _EMPTY.get(name) if default is NODEFAULT else default for name, default in said}


@cache
def saying(kind: Any) -> tuple[str, ...]:
    """The fields in which hidden values are masked."""
    return tuple(name for name in kind.__struct_fields__ if name in WORDS or name in PARTS)


class Mask:
    """Masks some hidden values. texts: strings that are masked only as a whole."""

    def __init__(self, values: Sequence[HiddenValue], texts: Iterable[str] = ()) -> None:
        self._values = values
        self._texts = frozenset(texts)
        self._pattern = pattern({look for value in values for look in value.looks})

    def event(self, event: e.Event) -> e.Event:
        """The event with the hidden values masked."""
        if isinstance(event, e.SlotSet):
            slots = self._slots({event.name: event.value})
            rest: e.SlotSet = self._struct(replace(event, value=None))
            return replace(rest, value=slots.get(event.name))
        if isinstance(event, e.StackUpdated):
            return replace(event, update=self.json(event.update.encode(), b"[]").decode())
        masked: e.Event = self._struct(event)
        if isinstance(masked, e.ToolCalled) and masked != event:  # a masked text is not a JSON text
            return replace(masked, raw=None)
        return masked

    def json(self, source: bytes, unreadable: bytes = b"{}", names: Collection[str] = ()) -> bytes:
        """The same for a JSON document; one that cannot be read is not shown at all.

        names: in a framework's own JSON, keys whose values are shown, as all its keys are.
        """
        try:
            document = msgspec.json.decode(source)
        except msgspec.MsgspecError:
            return unreadable
        masked = self._beside_names(document, names) if names else self._any(document)
        return source if masked == document else msgspec.json.encode(masked)

    def _beside_names(self, value: Any, names: Collection[str]) -> Any:
        if isinstance(value, list):
            return [self._beside_names(item, names) for item in value]
        if not isinstance(value, dict):
            return self._any(value)
        return {key: self._beside_name(key, item, names) for key, item in value.items()}

    def _beside_name(self, key: str, item: Any, names: Collection[str]) -> Any:
        if key in names:
            return item
        return self._any(item) if key in _FREE else self._beside_names(item, names)

    def _any(self, value: Any) -> Any:
        """Any value, with the hidden values in it masked; a hidden number becomes None."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, msgspec.Struct):
            return self._struct(value)
        if isinstance(value, list | tuple):
            return type(value)(map(self._any, value))
        if isinstance(value, dict):
            return {self._any(key): self._any(item) for key, item in value.items()}
        return None if self._hides(value) else value

    def _text(self, text: str) -> str:
        if text in self._texts:
            return BLOCK * len(text)
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: BLOCK * len(found[0]), text)

    def _struct(self, struct: Any) -> Any:
        changed: dict[str, Any] = {}
        for name in saying(struct.__class__):
            held = getattr(struct, name)
            if held is None:
                continue
            if name == "value" and self._hides(held):
                changed |= {"value": None, **_no_place(struct)}
            elif (masked := self._any(held)) != held:
                changed[name] = masked
        return replace(struct, **changed) if changed else struct

    def _slots(self, slots: dict[str, Any]) -> dict[str, Any]:
        masked = self._of_slots._any
        return {n: masked(held) for n, held in slots.items() if not self._hides_slot(n, held)}

    @cached_property
    def _of_slots(self) -> Mask:
        """The values masked inside slot values."""
        known = [value for value in self._values if value.known]
        return self if len(known) == len(self._values) else Mask(known, self._texts)

    def _hides_slot(self, name: str, value: Any) -> bool:
        return self._hides(value) or any(
            same(hidden.value, value) and name in hidden.slots for hidden in self._values
        )

    def _hides(self, value: Any) -> bool:
        """Whether a whole value is a hidden one."""
        if isinstance(value, list | dict):
            return any(same(hidden.value, value) for hidden in self._values)
        if self._pattern is None or isinstance(value, bool):
            return False
        is_scalar = isinstance(value, str | int | float)
        return is_scalar and self._pattern.fullmatch(str(value).strip()) is not None


def _no_place(struct: Any) -> dict[str, None]:
    """A masked value has no place in the text."""
    return {name: None for name in ("start", "end") if name in struct.__struct_fields__}
