"""Which events form one message (ADR 14)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, get_args

import msgspec

from turnlog.domain import events as e
from turnlog.domain.traits import Part

Numbered = tuple[int, e.Event]
Said = e.UserUttered | e.BotUttered | e.AgentUttered | e.SystemInstructed
About = e.AnswerMeasured | e.AnswerBrokenOff

NEW_MESSAGE = "new_message"
"""In an event's `extra`: it begins a message, although it could continue the one before."""

_ABOUT = (e.AnswerMeasured, e.AnswerBrokenOff)
_OPENING = (e.UserUttered, e.SystemInstructed)

SIDES = ("user", "system", "tool")
"""Actors of parts that are not the assistant's."""


class Group(msgspec.Struct):
    """The events of a message, its first event first, and those about it."""

    side: str
    members: list[Numbered]
    about: list[About] = []


def groups(events: Iterable[Numbered]) -> list[Group]:
    """The messages that events form, in order; calls of the user's side are in none.

    events: with their numbers, oldest first.
    """
    found: list[Group] = []
    group_of: dict[int, Group] = {}
    for number, event in events:
        if (side_of := _SIDE_OF.get(type(event))) is None:
            if isinstance(event, _ABOUT):
                _take_about(event, found, group_of)
        elif (its := side_of(event)) is not None:
            if not (found and found[-1].side == its and continues(event, found[-1])):
                found.append(Group(its, []))
            found[-1].members.append((number, event))
            group_of[number] = found[-1]
    return found


def _take_about(about: About, found: Sequence[Group], group_of: Mapping[int, Group]) -> None:
    group = _latest(found, about) if about.message is None else group_of.get(about.message)
    if group is not None:
        group.about.append(about)


def side(event: e.Event) -> str | None:
    """The author of its message: user, system, tool or assistant; None for no message."""
    side_of = _SIDE_OF.get(type(event))
    return None if side_of is None else side_of(event)


def _instructed(event: e.SystemInstructed) -> str | None:
    return None if event.text is None and event.tools is not None else "system"


def _called(event: e.ToolCalled) -> str | None:
    return None if event.actor == "user" else "assistant"


def _returned(event: e.ToolReturned) -> str | None:
    return None if event.actor == "user" else "assistant" if event.server else "tool"


def _part(event: Part) -> str:
    return event.actor if event.actor in SIDES else "assistant"


_SIDE_OF: dict[type[e.Event], Callable[[Any], str | None]] = {
    e.UserUttered: lambda _: "user",
    e.BotUttered: lambda _: "assistant",
    e.AgentUttered: lambda _: "assistant",
    e.SystemInstructed: _instructed,
    e.ToolCalled: _called,
    e.ToolReturned: _returned,
    **dict.fromkeys(get_args(Part), _part),
}


def continues(event: e.Event, group: Group) -> bool:
    """Whether an event of a message's side belongs to the message right before it."""
    if isinstance(event, _OPENING):
        return False
    if event.cause is not None and event.cause == group.members[0][0]:
        return True
    before = group.members[-1][1]
    if event.extra is not None and NEW_MESSAGE in event.extra:
        return False
    if isinstance(event, e.ToolReturned):
        return event.server
    return event.cause == before.cause and _goes_on(before, event)


def _goes_on(before: e.Event, event: e.Event) -> bool:
    if isinstance(before, e.ReasoningAdded):
        return True
    if isinstance(event, e.ToolCalled):
        return isinstance(before, e.ToolCalled)
    return isinstance(event, Part) and not isinstance(event, e.ReasoningAdded)


def _latest(found: Sequence[Group], about: About) -> Group | None:
    """The assistant's newest message that is no older than the cause of the event about it."""
    latest = next((group for group in reversed(found) if group.side == "assistant"), None)
    return latest if latest and latest.members[-1][0] >= (about.cause or 0) else None


def members(number: int, events: Sequence[Numbered]) -> frozenset[int]:
    """The numbers of the events in the same message as the event with that number."""
    for group in groups(_around(number, events)):
        numbers = frozenset(member for member, _ in group.members)
        if number in numbers:
            return numbers
    return frozenset((number,))


def _around(number: int, events: Sequence[Numbered]) -> Sequence[Numbered]:
    """The events from one certain beginning of a message to the next, around the event with that
    number.
    """
    here = bisect_left(events, number, key=itemgetter(0))
    first = next((i for i in range(min(here, len(events) - 1), 0, -1) if _opens(events[i][1])), 0)
    last = next((i for i in range(here + 1, len(events)) if _opens(events[i][1])), None)
    return events[first:last]


def _opens(event: e.Event) -> bool:
    return isinstance(event, _OPENING) and side(event) is not None
