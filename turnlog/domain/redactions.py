"""What a redaction hides, decided once for every view (ADR 12).

Hidden are the message, what was understood of it, and the values that it set. Where such a value
comes up again it is masked, until a later message says it and sets it anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.consequences import Numbered, consequences
from turnlog.domain.fold import replay
from turnlog.domain.hidden_values import hidden_values
from turnlog.domain.masks import Mask, without_words
from turnlog.domain.message_groups import members
from turnlog.domain.state import State
from turnlog.domain.traits import AboutMessage, Part, Utterance, ValueChange


def hidden_by(message: int, events: Sequence[Numbered], redaction: int) -> frozenset[int]:
    """Numbers of the events that a redaction of a message hides whole.

    events: all of the conversation's, oldest first; redaction: the number it has among them. Of
    what comes later it hides only what names the message: a late answer, another edit.
    """
    caused, whole = consequences(message, events, redaction), members(message, events)
    return frozenset(
        number
        for number, event in events
        if number == message
        or (number in whole and isinstance(event, Utterance | Part))
        or _is_about(whole, event)
        or (number in caused and isinstance(event, ValueChange | e.EntitiesAdded))
    )


def _is_about(messages: Collection[int], event: e.Event) -> bool:
    is_redaction = isinstance(event, e.MessageRedacted)
    return isinstance(event, AboutMessage) and event.message in messages and not is_redaction


class Redactions:
    """What the redactions of a conversation hide; events: all of its, oldest first, as recorded."""

    def __init__(self, events: Iterable[Numbered]) -> None:
        self._events = list(events)
        by_message: dict[int, frozenset[int]] = {}
        for number, event in self._events:
            if isinstance(event, e.MessageRedacted):
                found = hidden_by(event.message, self._events, number).union(event.events)
                by_message[event.message] = found | by_message.get(event.message, frozenset())
        self.hidden = frozenset[int]().union(*by_message.values())
        self._erased = max(
            (event.event for _, event in self._events if isinstance(event, e.OriginDeleted)),
            default=0,
        )
        self._values = hidden_values(by_message, self._events)
        self._masks: dict[tuple[int, ...], Mask] = {}

    def __bool__(self) -> bool:
        return bool(self.hidden or self._erased)

    def __contains__(self, number: int) -> bool:
        """Whether the event of that number is hidden."""
        return number in self.hidden or number <= self._erased

    @property
    def last(self) -> int:
        """Number of the last event that they know."""
        return len(self._events)

    def followed_by(self, events: Iterable[Numbered]) -> Redactions:
        """What they hide when the conversation has gone on with these events."""
        return Redactions([*self._events, *events])

    def shown(self, number: int, event: e.Event) -> e.Event:
        """The event as every view may show it."""
        if number <= self._erased:
            return e.EventErased(type(event).__name__, timestamp=event.timestamp)
        if number in self.hidden:
            event = without_words(event)
        if isinstance(event, e.ThreadImported):  # it holds what other events say, a second time
            return replace(event, entry=self._whole_texts.json(event.entry))
        if isinstance(event, e.ForeignRecorded):  # nobody can say what is in bytes that come later
            unreadable = b"" if number > min(self.hidden, default=number) else event.body
            return replace(event, body=self._whole_texts.json(event.body, unreadable))
        if (mask := self._mask(number)) is not None:
            event = mask.event(event)
        return event

    def state(self, event: int) -> State:
        """The state after the event of that number, as every view may show it."""
        return replay([self.shown(*numbered) for numbered in self._events[:event]])

    def _mask(self, number: int) -> Mask | None:
        """What is masked in the event of that number."""
        which = tuple(i for i, value in enumerate(self._values) if value.holds(number))
        if which and which not in self._masks:
            self._masks[which] = Mask([self._values[index] for index in which])
        return self._masks.get(which)

    @cached_property
    def _whole_texts(self) -> Mask:
        """Masks every hidden value, and hidden texts where they are whole, however short."""
        texts = (getattr(event, "text", None) for n, event in self._events if n in self.hidden)
        return Mask(self._values, (text for text in texts if text))
