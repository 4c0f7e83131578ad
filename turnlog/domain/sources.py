"""What led to an event in its answer: what was understood, called and returned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.calls import answered
from turnlog.domain.consequences import Consequences, Numbered
from turnlog.domain.mentions import Mentions
from turnlog.domain.plain import dumps

Understanding = e.MessageUnderstood | e.EntitiesAdded


def sources(number: int, event: e.Event, before: Sequence[Numbered]) -> list[int]:
    """The numbers of the events that led to an event, oldest first.

    before: the events that count before it, from the message that it answers. A result is included,
    with its call, if the event names it as its cause, has a value of it or says one in its text; a
    call, if the event names it; what was understood, if a value of the event or of one of those
    calls is in it, and always for a message or an action. Nothing else is guessed.
    """
    calls = {result: call for call, result, _ in answered([*before, (number, event)])}
    led_to = _led_to(before)
    values, found = _Values(event), set[int]()
    said = Mentions(_text(event))
    named = {event.cause, calls.get(number)}
    for earlier, one in reversed(before):
        if isinstance(one, Understanding):
            is_alike = not _has_value(event) or values.meet(one)
            if earlier in named or (earlier in led_to and is_alike):
                found.add(earlier)
        elif isinstance(one, e.ToolReturned):
            flows_on = earlier in led_to and (values.meet(one) or _is_said(one, said))
            if earlier in named or flows_on:
                found.add(earlier)
                named |= {one.cause, calls.get(earlier)}
        elif isinstance(one, e.ToolCalled) and earlier in named:
            found.add(earlier)
            values.add(one)
    return sorted(found)


def _led_to(before: Sequence[Numbered]) -> frozenset[int]:
    """Of these, what the first of them led to if it is a message; otherwise all."""
    if not before or not isinstance(before[0][1], e.UserUttered):
        return frozenset(number for number, _ in before)
    return Consequences(before).of(before[0][0])


def _has_value(event: e.Event) -> bool:
    return isinstance(event, e.SlotSet | e.ToolCalled | e.ToolReturned)


def _text(event: e.Event) -> str:
    """The words of the bot in it."""
    return event.text or "" if isinstance(event, e.BotUttered | e.TextAdded) else ""


def _is_said(returned: e.ToolReturned, said: Mentions) -> bool:
    """Whether a value of a result is among the bot's words."""
    return any(part in said for part in _parts(returned.result))


class _Values:
    """The values that an event passes on, alone and inside lists and objects."""

    def __init__(self, event: e.Event) -> None:
        self._known: set[bytes] = set()
        self.add(event)

    def add(self, event: e.Event) -> None:
        self._known.update(_values_in(event))

    def meet(self, event: e.Event) -> bool:
        return not self._known.isdisjoint(_values_in(event))


def _values_in(event: e.Event) -> Iterator[bytes]:
    held: Any = None
    if isinstance(event, e.SlotSet):
        held = event.value
    elif isinstance(event, e.ToolCalled):
        held = event.arguments
    elif isinstance(event, e.ToolReturned):
        held = event.result
    elif isinstance(event, Understanding):
        held = [entity.value for entity in event.entities]
    elif isinstance(event, e.BotUttered):
        held = [event.text, event.data]
    return map(dumps, _parts(held))


def _parts(value: Any) -> Iterator[Any]:
    """A value and all values in it, except those without information."""
    if value is None or value in ("", [], {}):
        return
    yield value
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _parts(each)
