"""The part of a conversation's state that a rewind, undo, restart or reset restores."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.annotations import Entity, Intent


class LatestMessage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A user's message as far as it is understood; `understood` is the event that says what."""

    event: int
    text: str | None = None
    intent: Intent | None = None
    entities: tuple[Entity, ...] = ()
    message_id: str | None = None
    use_text: bool | None = None
    understood: int | None = None

    def without_words(self) -> LatestMessage:
        """The message without its words."""
        silent: LatestMessage = msgspec.structs.replace(self, text=None, intent=None, entities=())
        return silent


class BotMessage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The bot's latest message."""

    event: int
    text: str | None = None


class Action(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The bot's latest action."""

    event: int
    name: str | None = None
    action_text: str | None = None


class Loop(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An active form; trigger is the latest message at the time it began."""

    name: str
    is_interrupted: bool = False
    rejected: bool = False
    trigger: LatestMessage | None = None


class Context(msgspec.Struct, array_like=True):
    """The part of a conversation's state that a rewind, undo, restart or reset restores.

    latest_message, latest_bot_message: numbers of events, with what is known of them. stack: the
    frames of the running flows, the active one last; None if there never was one. turn: how many of
    the user's messages lead here, without the retracted ones. since: for each slot that ever had a
    value, the number of the event that set or removed its current one.
    """

    slots: dict[str, Any] = {}
    latest_message: LatestMessage | None = None
    latest_bot_message: BotMessage | None = None
    latest_action: Action | None = None
    loop: Loop | None = None
    followup: str | None = None
    paused: bool = False
    stack: list[Any] | None = None
    turn: int = 0
    since: dict[str, int] = {}
