"""What a redaction hides, decided once for every view (ADR 11).

Hidden are the message, what was understood of it, and the values that it set. Where such a value
comes up again it is masked, until a later message says it and sets it anew.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import Context, LatestMessage
from turnlog.domain.masks import HiddenValue, Mask, leaves, mentions, tokens
from turnlog.domain.state import State
from turnlog.domain.traits import AboutMessage, Utterance, ValueChange
from turnlog.domain.values import same

Numbered = tuple[int, e.Event]

_WORDS: dict[str, Any] = {
    "text": None, "data": None, "intent": None, "entities": (), "frames": (), "comment": None,
    "extra": None, "value": None, "items": [], "result": None, "arguments": None, "tools": None,
    "detail": None, "entry": b"{}", "action_text": None, "content": None, "goal": None,
}  # fmt: skip
"""The fields that may say what was said, and what is left of them."""

_CODE = re.compile(r"[^\s,;:!?()\[\]{}\"'<>]*\d[^\s,;:!?()\[\]{}\"'<>]*|\S+@\S+\.\w+")
"""What is told of a text that nobody understood: numbers, codes, addresses."""


def without_words(event: e.Event) -> e.Event:
    """The event without the fields that may say what was said."""
    left = {name: nothing for name, nothing in _WORDS.items() if name in event.__struct_fields__}
    shown: e.Event = replace(event, **left)
    return shown


def hidden_by(message: int, events: Sequence[Numbered]) -> tuple[int, ...]:
    """Numbers of the events that a redaction of a message hides whole, in order.

    events: all of the conversation's, oldest first.
    """
    causes = {number: event.cause for number, event in events}
    near = _stretch(message, events)
    return tuple(
        number
        for number, event in events
        if number == message
        or _is_about(message, event)
        or (isinstance(event, ValueChange) and _is_caused(message, event.cause, causes))
        or (number in near and event.cause is None
            and isinstance(event, ValueChange | e.EntitiesAdded))
    )  # fmt: skip


def _is_about(message: int, event: e.Event) -> bool:
    is_redaction = isinstance(event, e.MessageRedacted)
    return isinstance(event, AboutMessage) and event.message == message and not is_redaction


def _is_caused(message: int, cause: int | None, causes: Mapping[int, int | None]) -> bool:
    """Whether the message is the cause, or the cause of the cause, and so on."""
    seen: set[int] = set()
    while cause is not None and cause not in seen:
        if cause == message:
            return True
        seen.add(cause)
        cause = causes.get(cause)
    return False


def _stretch(message: int, events: Sequence[Numbered]) -> range:
    """The numbers after a message in its turn; up to the next message where it is not a user's."""
    of_user = any(n == message and isinstance(event, e.UserUttered) for n, event in events)
    ends = e.UserUttered if of_user else Utterance
    after = (n for n, event in events if n > message and isinstance(event, ends))
    return range(message + 1, next(after, len(events) + 1))


class Redactions:
    """What the redactions of a conversation hide; events: all of its, oldest first, as recorded."""

    def __init__(self, events: Iterable[Numbered]) -> None:
        numbered = list(events)
        by_number = dict(numbered)
        hidden = {
            event.message: event.events or hidden_by(event.message, numbered)
            for event in by_number.values()
            if isinstance(event, e.MessageRedacted)
        }
        self.hidden = frozenset(number for numbers in hidden.values() for number in numbers)
        self._values = [
            HiddenValue(value, names, tokens(value), message, self._until(message, value, numbered))
            for message, numbers in hidden.items()
            for value, names in _values([by_number[number] for number in numbers])
        ]
        texts = (getattr(by_number[number], "text", None) for number in self.hidden)
        self._whole = Mask(self._values, (text for text in texts if text))
        self._masks: dict[tuple[int, ...], Mask] = {}

    def __bool__(self) -> bool:
        return bool(self.hidden)

    def __contains__(self, number: int) -> bool:
        """Whether the event of that number is hidden."""
        return number in self.hidden

    def shown(self, number: int, event: e.Event) -> e.Event:
        """The event as every view may show it."""
        if number in self.hidden:
            return without_words(event)
        if isinstance(event, e.ThreadImported):  # it holds the messages that follow a second time
            return replace(event, entry=self._whole.json(event.entry))
        mask = self._mask(number)
        return event if mask is None else mask.event(event)

    def state(self, state: State) -> State:
        """A state, now or at an earlier event, as every view may show it."""
        context, thread = state.context, state.thread
        if (mask := self._mask(state.event + 1)) is not None:
            context, thread = mask.context(context), mask.any(thread)
        shown: State = replace(state, context=self._context(context), thread=thread)
        return shown

    def _context(self, context: Context) -> Context:
        bot, loop = context.latest_bot_message, context.loop
        if loop is not None:
            loop = replace(loop, trigger=self._latest(loop.trigger))
        if bot is not None and bot.event in self.hidden:
            bot = replace(bot, text=None, data=None)
        user = self._latest(context.latest_message)
        shown: Context = replace(context, latest_message=user, latest_bot_message=bot, loop=loop)
        return shown

    def _latest(self, message: LatestMessage | None) -> LatestMessage | None:
        is_hidden = message is not None and message.event in self.hidden
        return message.without_words() if message is not None and is_hidden else message

    def _mask(self, number: int) -> Mask | None:
        """What is masked in the event of that number."""
        which = tuple(i for i, value in enumerate(self._values) if value.holds(number))
        if which and which not in self._masks:
            self._masks[which] = Mask([self._values[index] for index in which])
        return self._masks.get(which)

    def _until(self, message: int, value: Any, events: Sequence[Numbered]) -> float:
        """Number of the first later message that says the value and sets it again; or infinity.

        A value too short to be found in a text is taken to be said wherever it is set.
        """
        looks = tokens(value)
        later, said = 0, False
        for number, event in events:
            if number <= message or number in self.hidden:
                continue
            if isinstance(event, e.UserUttered):
                later, said = number, not looks or mentions(event.text or "", looks)
            elif isinstance(event, e.MessageUnderstood) and event.message == later:
                said = said or any(same(entity.value, value) for entity in event.entities)
            elif isinstance(event, e.SlotSet) and later and said and same(event.value, value):
                return later
        return math.inf


def _values(hidden: Iterable[e.Event]) -> Iterator[tuple[Any, frozenset[str]]]:
    """The values that hidden events hold, with the slots that were set to them."""
    found: list[tuple[Any, set[str]]] = []
    for event in hidden:
        for value in _values_in(event):
            names = next((names for held, names in found if same(held, value)), None)
            if names is None:
                found.append((value, names := set()))
            if isinstance(event, e.SlotSet):
                names.add(event.name)
    return ((value, frozenset(names)) for value, names in found)


def _values_in(event: e.Event) -> Iterator[Any]:
    if text := getattr(event, "text", None):
        yield text.strip()
        yield from _CODE.findall(text)
    for entity in getattr(event, "entities", ()):
        yield from leaves(entity.value)
    for frame in getattr(event, "frames", ()):
        yield from leaves([span.value for span in frame.spans or ()])
        yield from leaves([act.values for act in frame.acts or ()])
    for field in ("items", "result"):
        yield from leaves(getattr(event, field, None))
    yield from leaves([getattr(event, "value", None)])  # a list slot keeps it in a list
