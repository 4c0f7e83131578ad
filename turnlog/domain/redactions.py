"""What a redaction hides, decided once for every view (ADR 12).

Hidden are the message, what was understood of it, and the values that it set. Where such a value
comes up again it is masked, until a later message says it and sets it anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.consequences import Consequences, Numbered
from turnlog.domain.fold import replay
from turnlog.domain.hidden_values import hidden_values
from turnlog.domain.masks import Mask, without_words
from turnlog.domain.message_groups import members
from turnlog.domain.state import State
from turnlog.domain.traits import Part, Utterance, ValueChange


def hidden_by(message: int, events: Sequence[Numbered], redaction: int) -> frozenset[int]:
    """Numbers of the events that a redaction of a message hides whole.

    events: all of the conversation's, oldest first; redaction: the number it has among them. Of
    what comes later it hides only what names the message: a late answer, another edit.
    """
    return _hidden_by(message, Consequences(events), redaction)


def _hidden_by(message: int, known: Consequences, redaction: int) -> frozenset[int]:
    whole = members(message, known.events)
    hidden = [number for number, event in known.those(whole) if isinstance(event, Utterance | Part)]
    for number, event in known.those(known.about(whole)):
        if not isinstance(event, e.MessageRedacted):
            hidden.append(number)
    for number, event in known.those(known.of(message, redaction)):
        if isinstance(event, ValueChange | e.EntitiesAdded):
            hidden.append(number)
    return frozenset((message, *hidden))


class Redactions:
    """What the redactions of a conversation hide; events: all of its, oldest first, as recorded."""

    def __init__(self, events: Iterable[Numbered]) -> None:
        self._events = list(events)
        known = Consequences(self._events)
        by_message: dict[int, frozenset[int]] = {}
        for number, event in self._events:
            if isinstance(event, e.MessageRedacted):
                found = _hidden_by(event.message, known, number).union(event.events)
                by_message[event.message] = found | by_message.get(event.message, frozenset())
        self.hidden = frozenset[int]().union(*by_message.values())
        self._erased = max(
            (event.event for _, event in self._events if isinstance(event, e.OriginDeleted)),
            default=0,
        )
        self._values = hidden_values(by_message, known) if by_message else []
        self._bounds = sorted({n for value in self._values for n in (value.since + 1, value.until)})
        self._masks: dict[int, Mask | None] = {}

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
        stretch = bisect_right(self._bounds, number)  # in each of which the same is
        if stretch not in self._masks:
            held = [value for value in self._values if value.holds(number)]
            self._masks[stretch] = Mask(held) if held else None
        return self._masks[stretch]

    @cached_property
    def _whole_texts(self) -> Mask:
        """Masks every hidden value, and hidden texts where they are whole, however short."""
        texts = (getattr(event, "text", None) for n, event in self._events if n in self.hidden)
        return Mask(self._values, (text for text in texts if text))
