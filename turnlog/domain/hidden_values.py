"""The values that redacted messages hold, and from where to where each of them is hidden."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from turnlog.domain import events as e
from turnlog.domain.consequences import Numbered, consequences
from turnlog.domain.traits import ValueChange
from turnlog.domain.values import same

SHORTEST = 4
"""Characters of a value that is masked inside texts; a shorter one is hidden as a slot alone."""

_CODE = re.compile(r"[^\s,;:!?()\[\]{}\"'<>=#|*`]*\d[^\s,;:!?()\[\]{}\"'<>=#|*`]*|\S+@\S+\.\w+")
"""What is hidden of a text that nobody understood: numbers, codes, addresses."""


class HiddenValue(msgspec.Struct, frozen=True):
    """Hidden in the events between `since` and `until`, both left out; slots: its names as one.

    looks: how it looks inside a text.
    """

    value: Any
    slots: frozenset[str]
    looks: frozenset[str]
    since: int
    until: float

    def holds(self, number: int) -> bool:
        """Whether it is hidden in the event of that number."""
        return self.since < number < self.until


def hidden_values(
    hidden: Mapping[int, Collection[int]], events: Sequence[Numbered]
) -> list[HiddenValue]:
    """hidden: the redacted messages, with the numbers of the events that are hidden with each."""
    every = frozenset[int]().union(*hidden.values())
    found: list[HiddenValue] = []
    for message, numbers in hidden.items():
        since = _since(message, events)
        together = _together(_values_of(message, numbers, events))
        texts = {getattr(event, "text", None) for n, event in events if n in numbers}
        for value, slots in together:
            set_again = [held for held, _ in together] if _is_one(value, texts) else [value]
            until = _until(value, set_again, message, every, events)
            found.append(HiddenValue(value, slots, looks(value), since, until))
    return found


def _is_one(value: Any, texts: Collection[str | None]) -> bool:
    return isinstance(value, str) and any(value == text.strip() for text in texts if text)


def _values_of(
    message: int, numbers: Collection[int], events: Sequence[Numbered]
) -> Iterator[tuple[Any, str | None]]:
    """Each value, and the slot where it is one's."""
    for number, event in events:
        if number in numbers:
            slot = event.name if isinstance(event, e.SlotSet) else None
            yield from ((value, slot) for value in _values_in(event))
    yield from ((value, None) for value in _passed_on(message, events))


def _passed_on(message: int, events: Sequence[Numbered]) -> Iterator[Any]:
    """What a message says, and tools were called with because of it, or variables hold that came
    with it from elsewhere."""
    text = next((getattr(event, "text", None) for n, event in events if n == message), None) or ""
    caused, since = consequences(message, events), _since(message, events)
    for number, event in events:
        if isinstance(event, e.ToolCalled) and number in caused:
            yield from (v for v in leaves(event.arguments) if mentions(text, looks(v)))
        elif isinstance(event, e.VariableSet) and since < number < message:
            yield from (v for v in leaves([event.value]) if mentions(text, looks(v)))


def _together(found: Iterable[tuple[Any, str | None]]) -> list[tuple[Any, frozenset[str]]]:
    """Equal values once, with all their slots."""
    gathered: list[tuple[Any, set[str]]] = []
    for value, slot in found:
        slots = next((slots for known, slots in gathered if same(known, value)), None)
        if slots is None:
            gathered.append((value, slots := set()))
        if slot is not None:
            slots.add(slot)
    return [(value, frozenset(slots)) for value, slots in gathered]


def _values_in(event: e.Event) -> Iterator[Any]:
    if text := getattr(event, "text", None):
        yield text.strip()
        yield from (code.strip(".-/_") for code in _CODE.findall(text))
    for entity in getattr(event, "entities", ()):
        yield from leaves(entity.value)
    for frame in getattr(event, "frames", ()):
        yield from leaves([span.value for span in frame.spans or ()])
        yield from leaves([act.values for act in frame.acts or ()])
    for field in ("items", "result"):
        yield from leaves(getattr(event, field, None))
    yield from leaves([getattr(event, "value", None)])  # a list slot keeps it in a list


def _holds(event: e.Event, values: Iterable[Any]) -> bool:
    return any(same(held, value) for value in values for held in _values_in(event))


def _since(message: int, events: Sequence[Numbered]) -> int:
    """The message's number.

    Of a session that came from elsewhere nobody knows when its variables were set, which stand
    before its last message: there, all of it.
    """
    for number, event in events:
        if number > message and isinstance(event, e.UserUttered):
            break
        if number > message and isinstance(event, e.ThreadImported):
            return 0
    return message


def _until(
    value: Any,
    set_again: Sequence[Any],
    message: int,
    hidden: Collection[int],
    events: Sequence[Numbered],
) -> float:
    """Number of the first later message that says the value and sets it again; or infinity.

    set_again: the values that count; for a text all that its message holds. One too short to be
    found in a text is taken to be said wherever it is set.
    """
    wanted = looks(value)
    later, is_said = 0, False
    for number, event in events:
        if number <= message or number in hidden:
            continue
        if isinstance(event, e.UserUttered):
            later, is_said = number, not wanted or mentions(event.text or "", wanted)
        elif isinstance(event, e.MessageUnderstood) and event.message == later:
            is_said = is_said or any(same(entity.value, value) for entity in event.entities)
        elif is_said and isinstance(event, ValueChange) and _holds(event, set_again):
            return later
    return math.inf


# --- values in texts ----------------------------------------------------------------------------


def looks(value: Any) -> frozenset[str]:
    """How a value looks inside a text; nothing where it is too short to be told from others."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return frozenset()
    texts = {str(value).strip()}
    if isinstance(value, float) and value.is_integer():
        texts.add(str(int(value)))
    return frozenset(text for text in texts if len(text) >= SHORTEST)


def mentions(text: str, looks: Iterable[str]) -> bool:
    """Whether one of the looks is in a text, as a whole word, in any case of letters."""
    found = pattern(looks)
    return found is not None and found.search(text) is not None


def pattern(looks: Iterable[str]) -> re.Pattern[str] | None:
    """What finds them as whole words; None where there are none."""
    longest_first = sorted(looks, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE) if either else None


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
