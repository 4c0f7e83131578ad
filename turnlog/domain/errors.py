"""What can be wrong with a conversation; the whole tree is drawn in turnlog.errors."""

from __future__ import annotations

from typing import Self

from turnlog.domain.amounts import digits


class TurnlogError(Exception):
    """Root of all errors; its text is one line fit to be shown to a person."""


class ConversationError(TurnlogError):
    """About one conversation, named in `conversation`; None where it is about the whole log."""

    def __init__(self, conversation: str | None, why: str) -> None:
        about = "the log" if conversation is None else f"conversation {conversation!r}"
        super().__init__(f"{about}: {why}")
        self.conversation = conversation
        self.why = why


class UnknownConversation(ConversationError):
    def __init__(self, conversation: str) -> None:
        super().__init__(conversation, "there is no such conversation")


class Restricted(UnknownConversation):
    """Kept, and nothing else: as if it were not there, but for who says why."""

    def __init__(self, conversation: str) -> None:
        ConversationError.__init__(
            self, conversation, "is restricted: it is kept, and not read or gone on with"
        )


class OutOfRange(ConversationError):
    """`position` is set where the log, not one conversation, has no such position."""

    position: int | None = None

    @classmethod
    def of_log(cls, position: int, last: int) -> Self:
        error = cls(None, f"there is no position {digits(position)}, the last is {last}")
        error.position = position
        return error


class InvalidEvent(ConversationError):
    """`field` names what is wrong in the event, or `conversation` where it is that itself."""

    def __init__(self, conversation: str | None, field: str, why: str) -> None:
        super().__init__(conversation, why if field == "conversation" else f"{field}: {why}")
        self.field = field


class UnknownPerson(TurnlogError):
    def __init__(self, person: str) -> None:
        super().__init__(f"person {person!r}: no conversation identifies them, or is theirs")
        self.person = person


class Held(TurnlogError):
    """A hold keeps what was to be erased."""


class StaleParent(ConversationError):
    """A framework goes on from `parent`, and `newest` is what it would have to go on from."""

    def __init__(self, conversation: str, parent: str | None, newest: str | None) -> None:
        super().__init__(conversation, f"goes on from {parent}, and the newest is {newest}")
        self.parent = parent
        self.newest = newest


class InvalidMessage(TurnlogError):
    """`field` names what is wrong in a message of that `role`."""

    def __init__(self, role: str, field: str, why: str) -> None:
        super().__init__(f"a message of role {role!r:.60}: {field}: {why}")
        self.role = role
        self.field = field
        self.why = why


class UnknownState(ConversationError):
    """A unit or state that the dialog does not have."""
