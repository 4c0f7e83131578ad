"""The part of a conversation's state that a rewind, undo, restart or reset gives back."""

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
        """The message without what it says."""
        silent: LatestMessage = msgspec.structs.replace(self, text=None, intent=None, entities=())
        return silent


class BotMessage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    event: int
    text: str | None = None


class Action(msgspec.Struct, frozen=True, array_like=True, gc=False):
    event: int
    name: str | None = None
    action_text: str | None = None


class Loop(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An active form; trigger is the message that was latest when it began."""

    name: str
    is_interrupted: bool = False
    rejected: bool = False
    trigger: LatestMessage | None = None


class Context(msgspec.Struct, array_like=True):
    """The part of a conversation's state that a rewind, undo, restart or reset gives back.

    latest_message, latest_bot_message: numbers of events, with what is known of them. stack: the
    frames of the flows that are under way, the active one last; None where none ever was. turn: how
    many of the user's messages lead here, without those that were taken back. since: of each slot
    that ever had a value, the number of the event that gave it the one it has, or took it away.
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
