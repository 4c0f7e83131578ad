"""The key that differences with one cause share, computed from one of them (ADR 21).

It consists of kind, type and name, place in the event, and how texts differ, without values,
numbers and names of one conversation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from turnlog.domain.events import Event, SlotSet, ToolCalled
from turnlog.domain.hidden_values import leaves
from turnlog.replay.divergence import Divergence, Kind
from turnlog.replay.grouping import failing, wording

PlainEvent = Mapping[str, Any]

_SETTING = (SlotSet, ToolCalled)


def key(
    divergence: Divergence,
    compared: tuple[Any, Any] | None = None,
    action: str | None = None,
    turn: Iterable[Event] = (),
) -> str:
    """compared: what the rules left of the events, by default all. action: the last one executed
    before a message. turn: its recorded events, whose values do not split groups.
    """
    expected, actual = compared or (divergence.expected, divergence.actual)
    said = _SAYS[divergence.kind](_Case(divergence, expected, actual, action, turn))
    return " ".join(part for part in (divergence.kind, *said) if part)


class _Case:
    def __init__(
        self,
        divergence: Divergence,
        expected: Any,
        actual: Any,
        action: str | None,
        turn: Iterable[Event],
    ) -> None:
        self.expected, self.actual, self.action = expected, actual, action
        self.path = divergence.path.split(".") if divergence.path else []
        recorded = [_values(each.as_dict()) for each in turn if isinstance(each, _SETTING)]
        held = leaves([divergence.slots, _values(expected), _values(actual), recorded])
        self.values = {value for value in held if isinstance(value, str)}


def _values(event: Any) -> Any:
    return [event.get(name) for name in ("value", "arguments")] if isinstance(event, dict) else None


def _changed(case: _Case) -> Iterator[str]:
    """Another name, or the same name with another content."""
    one, other = _about(case.expected), _about(case.actual)
    if one != other:
        yield f"{one} → {other}"
        return
    yield from _within(case)


def _done(case: _Case) -> Iterator[str]:
    """The bot's new action, whatever it replaces: a bot that falls back does so everywhere."""
    other = _about(case.actual)
    if other != _about(case.expected):
        yield f"→ {other}"
        return
    yield from _within(case)


def _within(case: _Case) -> Iterator[str]:
    yield _about(case.expected)
    yield ".".join(name for name in case.path if not name.isdecimal())
    if _at(case.actual, case.path) is None:
        yield "→ nothing"


def _text(case: _Case) -> Iterator[str]:
    yield _about(case.expected)
    if case.path not in (["text"], []):
        yield ".".join(name for name in case.path if not name.isdecimal())
        return
    one, other = (str((event or {}).get("text") or "") for event in (case.expected, case.actual))
    if one != other:
        yield wording.difference(one, other, case.values)


def _missing(case: _Case) -> Iterator[str]:
    """For a text its action, if it has one, because one action has many texts."""
    yield _about(case.expected)
    if text := case.expected.get("text"):
        yield case.action or wording.saying(str(text), case.values)


def _extra(case: _Case) -> Iterator[str]:
    yield _about(case.actual)
    if text := case.actual.get("text"):
        yield "again" if case.actual == case.expected else wording.saying(str(text), case.values)


def _intent(case: _Case) -> Iterator[str]:
    """The bot's new intent: a bot that falls back does so for any intent."""
    yield f"→ {_intent_of(case.actual)}"


def _intent_of(event: PlainEvent) -> str:
    intent = event.get("intent")
    return str(intent.get("name") if isinstance(intent, dict) else intent)


def _entity(case: _Case) -> Iterator[str]:
    """The entities that are missing or new, or have another value or place."""
    one, other = (_entities(event) for event in (case.expected, case.actual))
    yield from (f"- {name}" for name in sorted((one - other).elements()))
    yield from (f"+ {name}" for name in sorted((other - one).elements()))
    if one == other:
        yield " ".join(sorted(_altered(case.expected, case.actual)))


def _entities(event: PlainEvent) -> Counter[str]:
    return Counter(str(entity.get("entity")) for entity in event.get("entities") or ())


def _altered(expected: PlainEvent, actual: PlainEvent) -> set[str]:
    one, other = expected.get("entities") or (), actual.get("entities") or ()
    left = [entity for entity in one if entity not in other]
    return {str(entity.get("entity")) for entity in left}


def _order(case: _Case) -> Iterator[str]:
    yield f"{_about(case.expected[0])} before {_about(case.actual[0])}"


def _failed(case: _Case) -> Iterator[str]:
    """What it failed with, or what it failed with before and no longer does."""
    for event, after in ((case.actual, ""), (case.expected, "no more")):
        if event and event.get("type") == "BotFailed":
            yield failing.cause(event, case.values)
            yield after
            return


_SAYS: dict[Kind, Callable[[_Case], Iterator[str]]] = {
    "intent": _intent,
    "entity": _entity,
    "slot": _changed,
    "action": _done,
    "text": _text,
    "tool_call": _done,
    "tool_arguments": _changed,
    "missing": _missing,
    "extra": _extra,
    "order": _order,
    "error": _failed,
    "timeout": lambda case: iter(()),
}


def _about(event: PlainEvent | None) -> str:
    """An event's type and name."""
    if event is None:
        return "nothing"
    return " ".join(str(event[key]) for key in ("type", "name") if event.get(key) is not None)


def _at(event: Any, path: Iterable[str]) -> Any:
    """The value at a place in an event, or None."""
    for name in path:
        if isinstance(event, dict):
            event = event.get(name)
        elif isinstance(event, list) and name.isdecimal() and int(name) < len(event):
            event = event[int(name)]
        else:
            return None
    return event
