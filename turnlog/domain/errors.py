"""What can be wrong with a conversation; turnlog.errors draws the whole tree."""

from __future__ import annotations

from typing import Self

from turnlog.domain.amounts import digits


class TurnlogError(Exception):
    """Root of all errors; its text is one line for people."""


class ConversationError(TurnlogError):
    """An error in one conversation, named in `conversation`; None if it concerns the whole log."""

    def __init__(self, conversation: str | None, why: str) -> None:
        about = "the log" if conversation is None else f"conversation {conversation!r}"
        super().__init__(f"{about}: {why}")
        self.conversation = conversation
        self.why = why


class UnknownConversation(ConversationError):
    """No conversation has this id, or it was deleted."""

    def __init__(self, conversation: str) -> None:
        super().__init__(conversation, "does not exist")


class Restricted(UnknownConversation):
    """A restricted conversation: treated as missing, but the error gives the reason."""

    def __init__(self, conversation: str) -> None:
        ConversationError.__init__(
            self, conversation, "is restricted: it is kept, and cannot be read or continued"
        )


class OutOfRange(ConversationError):
    """A turn, event, version, time or position does not exist; `position` is set if the log lacks
    it.
    """

    position: int | None = None

    @classmethod
    def of_log(cls, position: int, last: int) -> Self:
        """The error for a position that the log does not have."""
        error = cls(None, f"position {digits(position)} does not exist; the last is {last}")
        error.position = position
        return error


class InvalidEvent(ConversationError):
    """An event that cannot be recorded; `field` names the faulty part, or is `conversation`."""

    def __init__(self, conversation: str | None, field: str, why: str) -> None:
        super().__init__(conversation, why if field == "conversation" else f"{field}: {why}")
        self.field = field


class UnknownPerson(TurnlogError):
    """No conversation identifies this person or has this id."""

    def __init__(self, person: str) -> None:
        super().__init__(f"person {person!r}: no conversation identifies them or has this id")
        self.person = person


class Held(TurnlogError):
    """A hold protects what was to be erased."""


class StaleParent(ConversationError):
    """A framework continues from `parent`, but `newest` is the state to continue from."""

    def __init__(self, conversation: str, parent: str | None, newest: str | None) -> None:
        super().__init__(conversation, f"continues from {parent}, but the newest is {newest}")
        self.parent = parent
        self.newest = newest


class InvalidMessage(TurnlogError):
    """`field` names the faulty part of a message of that `role`."""

    def __init__(self, role: str, field: str, why: str) -> None:
        super().__init__(f"a message of role {role!r:.60}: {field}: {why}")
        self.role = role
        self.field = field
        self.why = why


class UnknownState(ConversationError):
    """A unit or state that the dialog does not have."""
