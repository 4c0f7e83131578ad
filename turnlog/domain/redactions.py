"""What a redaction hides, decided once for every view (ADR 12).

It hides the message, what was understood of it, and the values it set. Further occurrences of such
a value are masked until a later message says it and sets it again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import cached_property
from itertools import islice, starmap
from math import inf

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.consequences import Consequences, Numbered
from turnlog.domain.fold import Fold
from turnlog.domain.hidden_values import HiddenValue, hidden_values, saying
from turnlog.domain.masks import Mask, without_words
from turnlog.domain.message_groups import members
from turnlog.domain.reach import Reach
from turnlog.domain.skeletons import NAMES_OF
from turnlog.domain.state import State
from turnlog.domain.traits import Part, Reminder, Utterance, ValueChange


def hidden_by(message: int, events: Sequence[Numbered], redaction: int) -> frozenset[int]:
    """The numbers of the events that a redaction of a message hides as a whole.

    events: all of the conversation's, oldest first; redaction: its own number. Among later events
    it hides only those that name the message: a late answer, another edit.
    """
    return _hidden_by(message, Consequences(events), redaction)


def _hidden_by(message: int, known: Consequences, redaction: int) -> frozenset[int]:
    whole = members(message, known.events)
    hidden = [number for number, event in known.those(whole) if isinstance(event, Utterance | Part)]
    for number, event in known.those(known.about(whole)):
        if not isinstance(event, e.MessageRedacted):
            hidden.append(number)
    for number, event in known.those(known.of(message, redaction)):
        if isinstance(event, ValueChange | Reminder | e.EntitiesAdded):
            hidden.append(number)
    return frozenset((message, *hidden))


class Redactions:
    """What the redactions of a conversation hide; events: all of them, oldest first, as
    recorded.
    """

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
        self._masks = _Masks(self._values)
        self._reach = Reach(by_message, known)
        self._settled = State()

    def __bool__(self) -> bool:
        return bool(self.hidden or self._erased)

    def __contains__(self, number: int) -> bool:
        """Whether the event with that number is hidden."""
        return number in self.hidden or number <= self._erased

    @property
    def last(self) -> int:
        """The number of the last event that they cover."""
        return len(self._events)

    def followed_by(self, events: Iterable[Numbered]) -> Redactions:
        """What they hide after these further events.

        It costs only the new events, unless these concern something hidden.
        """
        more = list(events)
        if self._reach.meets(more):
            return Redactions([*self._events, *more])
        grown = copy(self)
        grown._grow(more)
        return grown

    def _grow(self, events: Sequence[Numbered]) -> None:
        self._events = [*self._events, *events]
        self._reach = self._reach.followed_by(events)
        later, before = saying(events), {value.until for value in self._values}
        self._values = [value.followed_by(later) for value in self._values]
        shown_again = {value.until for value in self._values} - before
        if shown_again:
            self._masks = _Masks(self._values)
        if self._settled.event >= min(shown_again, default=inf):
            self._settled = State()

    def shown(self, number: int, event: e.Event) -> e.Event:
        """The event as every view may show it."""
        if number <= self._erased:
            return e.EventErased(type(event).__name__, timestamp=event.timestamp)
        if number in self.hidden:
            event = without_words(event)
        if isinstance(event, e.ThreadImported):  # it repeats what other events say
            return replace(event, entry=self._whole_texts.json(event.entry))
        if isinstance(event, e.ForeignRecorded):
            return self._masked(number, event)
        if (mask := self._masks.of(number)) is not None:
            event = mask.event(event)
        return event

    def _masked(self, number: int, event: e.ForeignRecorded) -> e.ForeignRecorded:
        """No one can tell what later bytes contain."""
        body = bytes(event.body)
        unreadable = b"" if number > min(self.hidden, default=number) else body
        masked = self._whole_texts.json(body, unreadable, NAMES_OF.get(event.source, ()))
        return event if masked == body else replace(event, body=masked)

    def state(self, event: int) -> State:
        """The state after the event with that number, as every view may show it."""
        begin = self._settled if self._settled.event <= event else State()
        folded = Fold(lambda: self._shown(0, self.last), begin.copy())
        before_newest = self._newest_message() - 1
        if begin.event < before_newest <= event:
            self._settled = folded.take(self._shown(begin.event, before_newest)).copy()
        return folded.take(self._shown(folded.state.event, event))

    def _shown(self, after: int, upto: int) -> Iterator[e.Event]:
        return starmap(self.shown, islice(self._events, after, upto))

    def _newest_message(self) -> int:
        """The number of the newest user message before which no further event shows anything."""
        newest_first = reversed(self._events)
        return next((n for n, event in newest_first if isinstance(event, e.UserUttered)), 0)

    @cached_property
    def _whole_texts(self) -> Mask:
        """Masks every hidden value, and hidden texts that are whole, however short."""
        texts = (getattr(event, "text", None) for n, event in self._events if n in self.hidden)
        return Mask(self._values, (text for text in texts if text))


class _Masks:
    """What is masked in each event, computed when it is first needed."""

    def __init__(self, values: Sequence[HiddenValue]) -> None:
        self._values = values
        self._bounds = sorted({n for value in values for n in (value.since + 1, value.until)})
        self._made: dict[int, Mask | None] = {}

    def of(self, number: int) -> Mask | None:
        stretch = bisect_right(
            self._bounds, number
        )  # the same values are hidden throughout a stretch
        if stretch not in self._made:
            held = [value for value in self._values if value.holds(number)]
            self._made[stretch] = Mask(held) if held else None
        return self._made[stretch]
