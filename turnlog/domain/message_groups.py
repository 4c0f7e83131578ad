"""Which events make up one message (ADR 14)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from turnlog.domain import events as e
from turnlog.domain.traits import Part

Numbered = tuple[int, e.Event]
Said = e.UserUttered | e.BotUttered | e.AgentUttered | e.SystemInstructed
About = e.AnswerMeasured | e.AnswerBrokenOff

NEW_MESSAGE = "new_message"
"""In `extra` of an event that could continue the message before it and begins one of its own."""

SIDES = ("user", "system", "tool")
"""Actors of parts that are not the assistant's."""


class Group(msgspec.Struct):
    """The events of a message, the first of them first, and those about it."""

    members: list[Numbered]
    about: list[About] = []

    @property
    def side(self) -> str | None:
        return side(self.members[0][1])


def groups(events: Iterable[Numbered]) -> list[Group]:
    """The messages that events make up, in order; calls of the user's side are in none.

    events: with their numbers, oldest first.
    """
    found: list[Group] = []
    group_of: dict[int, Group] = {}
    for number, event in events:
        if isinstance(event, About):
            group = _latest(found) if event.message is None else group_of.get(event.message)
            if group is not None:
                group.about.append(event)
        elif side(event) is not None:
            if not (found and continues(event, found[-1])):
                found.append(Group([]))
            found[-1].members.append((number, event))
            group_of[number] = found[-1]
    return found


def side(event: e.Event) -> str | None:
    """Whose message it belongs to: user, system, tool or assistant; None for no message."""
    if isinstance(event, Part):
        return event.actor if event.actor in SIDES else "assistant"
    match event:
        case e.UserUttered():
            return "user"
        case e.SystemInstructed(text=None, tools=list()):
            return None
        case e.SystemInstructed():
            return "system"
        case e.BotUttered() | e.AgentUttered():
            return "assistant"
        case e.ToolCalled():
            return None if event.actor == "user" else "assistant"
        case e.ToolReturned():
            return None if event.actor == "user" else "assistant" if event.server else "tool"
    return None


def continues(event: e.Event, group: Group) -> bool:
    """Whether an event belongs to the message right before it."""
    if side(event) != group.side or isinstance(event, e.UserUttered | e.SystemInstructed):
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


def _latest(found: list[Group]) -> Group | None:
    return next((group for group in reversed(found) if group.side == "assistant"), None)


def members(number: int, events: Iterable[Numbered]) -> frozenset[int]:
    """Numbers of the events of the message that the event of that number belongs to."""
    for group in groups(events):
        numbers = frozenset(member for member, _ in group.members)
        if number in numbers:
            return numbers
    return frozenset((number,))
