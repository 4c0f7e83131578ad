"""Which rules a replay used: the others may be mistyped or obsolete."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from re import search
from typing import Any

from turnlog.domain import events as e
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.comparing.items import FAMILIES
from turnlog.serializers.shared.plain import to_plain

_NOTHING = Rules()


def entries(rules: Rules) -> list[str]:
    """The rules one by one, as in their file."""
    listed = [("ignore", rules.ignore), ("slots", rules.slots), ("masks", rules.masks)]
    single = [f"{field} {value!r}" for field, values in listed for value in values]
    return [*single, *(f"[[allow]] {one}" for one in rules.allow)]


def covered(rules: Rules, answer: Iterable[e.Event]) -> Iterator[str]:
    """The rules that apply to something in an answer, recorded or new."""
    if rules == _NOTHING:
        return
    action: str | None = None
    for event in answer:
        if isinstance(event, e.ActionExecuted):
            action = event.name
        yield from (f"ignore {kind!r}" for kind in rules.ignore if _is_of(event, kind))
        if isinstance(event, e.SlotSet):
            found = (slot for slot in rules.slots if fnmatchcase(event.name, slot))
            yield from (f"slots {slot!r}" for slot in found)
        if isinstance(event, e.BotUttered):
            found = (mask for mask in rules.masks if search(mask, event.text or ""))
            yield from (f"masks {mask!r}" for mask in found)
        if rules.allow:
            yield from _allowed(rules, to_plain(event), action)


def _allowed(rules: Rules, event: dict[str, Any], action: str | None) -> Iterator[str]:
    for one in rules.allow:
        if one.is_about(event, action):
            yield f"[[allow]] {one}"


_DIFFER_IN: dict[str | None, tuple[str, ...]] = {
    "understood": ("intent", "entity", "order"),
    "tool": ("tool_call", "tool_arguments", "order"),
    "slot": ("slot", "order"),
    "action": ("action", "order"),
    "text": ("text", "order"),
    None: (),
}
"""The kinds of differences that the events of a family can have."""


def _is_of(event: e.Event, kind: str) -> bool:
    return kind in _DIFFER_IN[FAMILIES.get(type(event))]
