"""What can be wrong with a conversation; the whole tree is drawn in turnlog.errors."""

from __future__ import annotations


class TurnlogError(Exception):
    """Root of all errors; its text is one line fit to be shown to a person."""


class ConversationError(TurnlogError):
    """About one conversation, named in `conversation`."""

    def __init__(self, conversation: str, why: str) -> None:
        super().__init__(f"conversation {conversation!r}: {why}")
        self.conversation = conversation
        self.why = why


class UnknownConversation(ConversationError):
    def __init__(self, conversation: str) -> None:
        super().__init__(conversation, "there is no such conversation")


class OutOfRange(ConversationError):
    pass


class InvalidEvent(ConversationError):
    """`field` names what is wrong in the event."""

    def __init__(self, conversation: str, field: str, why: str) -> None:
        super().__init__(conversation, f"{field}: {why}")
        self.field = field


class InvalidMessage(TurnlogError):
    """`field` names what is wrong in a message of that `role`."""

    def __init__(self, role: str, field: str, why: str) -> None:
        super().__init__(f"a message of role {role!r:.60}: {field}: {why}")
        self.role = role
        self.field = field
        self.why = why


class UnknownState(ConversationError):
    """A unit or state that the dialog does not have."""
