"""What was said, what was understood of it, and what happened to it."""

from __future__ import annotations

from typing import Any

from turnlog.domain.annotations import Entity, Frame, Intent
from turnlog.domain.event import Event


class _Said(Event, frozen=True, array_like=True, gc=False):
    text: str | None = None
    data: dict[str, Any] | None = None


class UserUttered(_Said, tag=10, frozen=True, array_like=True, kw_only=True, gc=False):
    """A user's message was received; it begins the next turn. name: the user's."""

    name: str | None = None


class MessageUnderstood(Event, tag=11, frozen=True, array_like=True, gc=False):
    """A message was understood; message is its event number, None for the latest."""

    intent: Intent | None = None
    entities: tuple[Entity, ...] = ()
    message: int | None = None


class MessageAnnotated(Event, tag=12, frozen=True, array_like=True, gc=False):
    """A message was annotated (the one with event number `message`, of either side)."""

    frames: tuple[Frame, ...] = ()
    message: int | None = None


class ConversationAnnotated(Event, tag=25, frozen=True, array_like=True, gc=False):
    """A data set's annotations of the whole conversation: its goal, services, outcome, …"""

    goal: dict[str, Any] | None = None
    services: list[str] | None = None


class BotUttered(_Said, tag=13, frozen=True, array_like=True, kw_only=True, gc=False):
    """The bot sent a message. data: quick_replies, buttons, attachment, image, custom, …"""

    name: str | None = None


class AgentUttered(_Said, tag=14, frozen=True, array_like=True, kw_only=True, gc=False):
    """A human operator wrote to the user."""

    name: str | None = None


class _Instructed(Event, frozen=True, array_like=True, gc=False):
    text: str | None = None
    tools: list[Any] | None = None


class SystemInstructed(_Instructed, tag=15, frozen=True, array_like=True, kw_only=True, gc=False):
    """The model received instructions or tool definitions.

    role: `developer` if they are not the system's.
    """

    role: str | None = None
    name: str | None = None


class UserFeaturized(Event, tag=16, frozen=True, array_like=True, gc=False):
    """The policy chose between the message's text and its intent."""

    use_text: bool = False


class EntitiesAdded(Event, tag=17, frozen=True, array_like=True, gc=False):
    """Entities were added to the latest message."""

    entities: tuple[Entity, ...] = ()


class MessageEdited(Event, tag=18, frozen=True, array_like=True, gc=False):
    """A message got another text; message is its event number."""

    message: int
    text: str | None = None


class MessageRegenerated(Event, tag=19, frozen=True, array_like=True, gc=False):
    """The bot answered again in place of an earlier answer; message is its event number."""

    message: int
    text: str | None = None
    data: dict[str, Any] | None = None


class _Redaction(Event, frozen=True, array_like=True, gc=False):
    message: int
    reason: str | None = None


class MessageRedacted(_Redaction, tag=20, frozen=True, array_like=True, kw_only=True, gc=False):
    """The message is hidden from every view; its bytes stay in the log.

    events: the numbers of the events hidden with it. slots: the slots that lose their values.
    """

    events: tuple[int, ...] = ()
    slots: tuple[str, ...] = ()


class MessageRated(Event, tag=21, frozen=True, array_like=True, gc=False):
    """Someone rated a message; message is its event number."""

    message: int
    rating: float | str | None = None
    comment: str | None = None


class DeliverySucceeded(Event, tag=22, frozen=True, array_like=True, gc=False):
    """A channel accepted an answer; message is its event number."""

    message: int | None = None
    receipt: Any = None


class DeliveryFailed(Event, tag=23, frozen=True, array_like=True, gc=False):
    """A channel did not deliver an answer; message is its event number, reason the channel's."""

    message: int | None = None
    reason: str | None = None


class BotFailed(Event, tag=24, frozen=True, array_like=True, gc=False):
    """The bot gave no answer; kind is `error` or `timeout`."""

    kind: str = "error"
    detail: str | None = None
