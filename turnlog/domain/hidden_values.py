"""The values in redacted messages, and the events in which each is hidden."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, get_args

import msgspec

from turnlog.domain import events as e
from turnlog.domain.annotations import Entity, Span
from turnlog.domain.codes import codes
from turnlog.domain.consequences import Consequences, Numbered
from turnlog.domain.traits import ValueChange, entities_in, reminded_in
from turnlog.domain.values import same

SHORTEST = 4
"""From this many characters on, a value is masked inside texts; a shorter one is hidden only as a
slot.
"""

_SURELY_A_CODE = 6
"""From this many characters on, a code is not a year, time or amount, but a value wherever
it is.
"""


class _Alike:
    """Finds values equal to one of some, or alike inside a text: in upper or lower case, a number
    or its digits.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values
        self._folded = {look for value in values for look in _folded(value)}

    def __contains__(self, held: Any) -> bool:
        if any(same(held, value) for value in self._values):
            return True
        return not self._folded.isdisjoint(_folded(held))


def _folded(value: Any) -> set[str]:
    return {look.casefold() for look in looks(value)}


class SaidAgain:
    """Finds the first later message that says a value and sets it again.

    set_again: the values that count; for a text, all that its message contains. A value too short
    to be found in a text counts as said whenever it is set. found: the message's number; infinity
    for none.
    """

    def __init__(self, value: Any, set_again: Sequence[Any]) -> None:
        self.found = math.inf
        self._words = pattern(looks(value))
        self._value = _Alike([value])
        self._set_again = _Alike(set_again)
        self._message, self._is_said = 0, False

    def followed_by(self, events: Iterable[Numbered]) -> SaidAgain:
        """The same after more events, which are the events of `saying`."""
        following = copy(self)
        for number, event in events:
            if following.found == math.inf:
                following._take(number, event)
        return following

    def _take(self, number: int, event: e.Event) -> None:
        if isinstance(event, e.UserUttered):
            self._message = number
            self._is_said = not self._words or self._words.search(event.text or "") is not None
        elif isinstance(event, e.MessageUnderstood):
            if event.message == self._message:
                self._is_said |= any(entity.value in self._value for entity in event.entities)
        elif self._is_said and any(held in self._set_again for held in _values_in(event)):
            self.found = self._message


def saying(events: Iterable[Numbered]) -> list[Numbered]:
    """The events that may say a value or set it again."""
    kinds = (e.UserUttered, e.MessageUnderstood, *get_args(ValueChange))
    return [each for each in events if isinstance(each[1], kinds)]


class HiddenValue(msgspec.Struct, frozen=True):
    """Hidden in the events between `since` and `until`, both excluded; slots: its names as a slot.

    looks: its forms inside a text. again: finds `until`. known: whether it is certainly a value; a
    shorter code that was only seen in a text is masked inside texts, but not inside slot values.
    """

    value: Any
    slots: frozenset[str]
    looks: frozenset[str]
    since: int
    again: SaidAgain
    known: bool = True

    @property
    def until(self) -> float:
        """The number of the message that makes the value visible again; infinity for none."""
        return self.again.found

    def holds(self, number: int) -> bool:
        """Whether it is hidden in the event with that number."""
        return self.since < number < self.until

    def followed_by(self, events: Iterable[Numbered]) -> HiddenValue:
        """The same after more events that hide nothing."""
        return msgspec.structs.replace(self, again=self.again.followed_by(events))


def hidden_values(hidden: Mapping[int, Collection[int]], known: Consequences) -> list[HiddenValue]:
    """hidden: the redacted messages, with the numbers of the events hidden with each."""
    every = frozenset[int]().union(*hidden.values())
    found: list[HiddenValue] = []
    for message, numbers in hidden.items():
        since = _since(message, known)
        together = _together(_values_of(message, numbers, known))
        texts = {getattr(event, "text", None) for _, event in known.those(numbers)}
        later = saying(each for each in known.after(message) if each[0] not in every)
        for value, slots, is_value in together:
            set_again = [held for held, *_ in together] if _is_one(value, texts) else [value]
            again = SaidAgain(value, set_again).followed_by(later)
            found.append(HiddenValue(value, slots, looks(value), since, again, is_value))
    return found


def _is_one(value: Any, texts: Collection[str | None]) -> bool:
    return isinstance(value, str) and any(value == text.strip() for text in texts if text)


def _values_of(
    message: int, numbers: Collection[int], known: Consequences
) -> Iterator[tuple[Any, str | None, bool]]:
    """Each value, its slot if it has one, and whether it is certainly a value."""
    text = _text(message, known)
    for _, event in known.those(numbers):
        slot = event.name if isinstance(event, e.SlotSet) else None
        yield from ((value, slot, True) for value in _values_in(event, text))
        yield from ((word, None, len(word) >= _SURELY_A_CODE) for word in _words_in(event))
    yield from ((value, None, True) for value in _passed_on(message, known))


def _text(message: int, known: Consequences) -> str:
    return getattr(known.event(message), "text", None) or ""


def _passed_on(message: int, known: Consequences) -> Iterator[Any]:
    """What a message says, what tools were called with because of it, and what imported variables
    contain.
    """
    text = _text(message, known)
    caused, brought = known.of(message), range(_since(message, known) + 1, message)
    for number, event in known.those({*caused, *brought}):
        if isinstance(event, e.ToolCalled) and number in caused:
            yield from (v for v in leaves(event.arguments) if mentions(text, looks(v)))
        elif isinstance(event, e.VariableSet) and number in brought:
            yield from (v for v in leaves([event.value]) if mentions(text, looks(v)))


def _together(
    found: Iterable[tuple[Any, str | None, bool]],
) -> list[tuple[Any, frozenset[str], bool]]:
    """Equal values once, with all their slots."""
    gathered: list[tuple[Any, list[str | None], list[bool]]] = []
    alike: dict[Any, list[tuple[Any, list[str | None], list[bool]]]] = {}
    for value, slot, known in found:
        those = alike.setdefault(
            (type(value), value if isinstance(value, str) else repr(value)), []
        )
        one = next((one for one in those if same(one[0], value)), None)
        if one is None:
            gathered.append(one := (value, [], []))
            those.append(one)
        one[1].append(slot)
        one[2].append(known)
    return [
        (value, frozenset(slot for slot in slots if slot is not None), any(known))
        for value, slots, known in gathered
    ]


def _words_in(event: e.Event) -> Iterator[str]:
    """What is hidden of unannotated texts: the whole text, if it is more than one common word, and
    its codes.
    """
    text = getattr(event, "text", None) or ""
    if len(text.split()) > 1 or any(codes(text)):
        yield text.strip()
    data = (leaf for leaf in leaves(getattr(event, "data", None)) if isinstance(leaf, str))
    for said in (text, *data):
        yield from (code.strip(".-/_") for code in codes(said))


def _values_in(event: e.Event, text: str = "") -> Iterator[Any]:
    """text: of the message to which the places of entities and spans refer."""
    for entity in entities_in(event):
        yield from leaves(entity.value)
        yield from _place_in(text, entity)
    for value in reminded_in(event):
        yield from leaves(value)
    for frame in getattr(event, "frames", ()):
        for span in frame.spans or ():
            yield from leaves(span.value)
            yield from _place_in(text, span)
        yield from leaves([act.values for act in frame.acts or ()])
        yield from leaves(frame.service_call)
    for field in ("items", "result", "delta"):
        yield from leaves(getattr(event, field, None))
    yield from leaves([getattr(event, "value", None)])  # a list slot keeps its value in a list


def _place_in(text: str, part: Entity | Span) -> Iterator[str]:
    if part.start is not None and part.end is not None and text[part.start : part.end]:
        yield text[part.start : part.end]


def _since(message: int, known: Consequences) -> int:
    """The message's number.

    It is unknown when an imported session's variables, stored before its last message, were set:
    there, the whole session counts.
    """
    for _, event in known.after(message):
        if isinstance(event, e.UserUttered):
            break
        if isinstance(event, e.ThreadImported):
            return 0
    return message


# --- values in texts ----------------------------------------------------------------------------


def looks(value: Any) -> frozenset[str]:
    """The forms of a value inside a text; none if it is too short to be recognised."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return frozenset()
    texts = {str(value).strip()}
    if isinstance(value, float) and value.is_integer():
        texts.add(str(int(value)))
    return frozenset(text for text in texts if len(text) >= SHORTEST)


def mentions(text: str, looks: Iterable[str]) -> bool:
    """Whether one of the forms is in a text, as a whole word, ignoring case."""
    found = pattern(looks)
    return found is not None and found.search(text) is not None


def pattern(looks: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern that finds them as whole words; None for no values."""
    longest_first = sorted(looks, key=len, reverse=True)
    either = "|".join(map(re.escape, longest_first))
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE) if either else None


def leaves(value: Any) -> Iterator[Any]:
    """The scalars in a value, and the lists that contain them."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
        return
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    if value not in (None, [], ()):
        yield value
