"""Which events of a recorded conversation are the bot's answer to which message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from turnlog.domain import events as e
from turnlog.domain.dialogue import Turn
from turnlog.domain.message_groups import Numbered, groups
from turnlog.domain.state import LISTEN
from turnlog.replay.comparing.items import FAMILIES

_ABOUT_ANSWERS = (e.BotFailed, e.AnswerEnded, e.AnswerBrokenOff, e.SessionStarted)

_OF_OTHERS = ("user", "agent", "system")
"""Actors of events that are not the bot's."""


class RecordedAnswers:
    """events: all of a conversation's with their numbers, oldest first.

    A live runner names the message as the cause of the bot's events; an import may not. The parts
    of an answer have the cause of its first part. If an answer names its message, it consists of
    these events, even those after the next message; otherwise of what follows the message, until
    the bot listens or a session begins.
    """

    def __init__(self, events: Sequence[Numbered]) -> None:
        self._causes = _causes(events)
        self._late: defaultdict[int, list[Numbered]] = defaultdict(list)
        messages = [number for number, event in events if isinstance(event, e.UserUttered)]
        known, latest = frozenset(messages), 0
        for number, event in events:
            latest = number if number in known else latest
            cause = self._causes[number]
            if cause in known and cause != latest:
                self._late[cause or 0].append((number, event))

    def of(self, turn: Turn) -> list[Numbered]:
        """The bot's answer to a turn's message."""
        message = turn.first_event
        every = [item for item in self._about(turn) if _is_the_bots(item[1])]
        if any(self._names(number, event, message) for number, event in every):
            return [item for item in every if self._causes[item[0]] == message]
        return list(_until_listening(every))

    def calls(self, turn: Turn) -> Iterator[tuple[int, e.ToolCalled]]:
        """The tool calls made for a turn's message, without those of the user's side."""
        for number, event in self._about(turn):
            if isinstance(event, e.ToolCalled) and event.actor != "user":
                yield number, event

    def _about(self, turn: Turn) -> Iterator[Numbered]:
        """The events after the message that name no other cause, and later ones."""
        message = turn.first_event
        for number, event in turn.numbered():
            if number != message and self._causes[number] in (None, message):
                yield number, event
        yield from self._late[message]

    def _names(self, number: int, event: e.Event, message: int) -> bool:
        return self._causes[number] == message and not isinstance(event, e.ToolCalled)


def _causes(numbered: Sequence[Numbered]) -> dict[int, int | None]:
    """The cause of each event; for a part of a message, the cause of the message.

    For events caused by a tool's result, it is the cause of the call.
    """
    causes = {number: event.cause for number, event in numbered}
    for group in groups(numbered):
        causes |= dict.fromkeys((n for n, _ in group.members), group.members[0][1].cause)
    for number, event in numbered:
        before = causes.get(causes[number] or 0)
        if before is not None and not isinstance(event, e.UserUttered):
            causes[number] = before
    return causes


def _is_the_bots(event: e.Event) -> bool:
    if event.actor in _OF_OTHERS:
        return False
    return type(event) in FAMILIES or isinstance(event, _ABOUT_ANSWERS)


def _until_listening(answer: Sequence[Numbered]) -> Iterator[Numbered]:
    """Up to the first `action_listen` or session: later events belong to no message (Rasa)."""
    for number, event in answer:
        if isinstance(event, e.SessionStarted):
            return
        yield number, event
        if isinstance(event, e.ActionExecuted) and event.name == LISTEN:
            return
