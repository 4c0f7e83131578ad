"""Every error turnlog raises.

TurnlogError
├── ConversationError        what was asked of a conversation cannot be
│   ├── UnknownConversation
│   │   └── Restricted       it is there, and is only kept
│   ├── UnknownState         no such unit or state of a dialog
│   ├── OutOfRange           no such turn, event or time; no such position of the log
│   ├── InvalidEvent         a value or an event that cannot be recorded
│   └── StaleParent          a framework goes on from what is not the newest
├── InvalidMessage           a message that no events can say
├── UnknownPerson            nobody is known by that name
├── Held                     a hold keeps what was to be erased
├── StorageError             the log itself
│   ├── NoSuchLog            nothing has been recorded there, or the name is mistyped
│   ├── VersionConflict      somebody else appended first
│   ├── AnotherPast          the log is not the one that a follower has read so far
│   ├── ForkedLog            opened by a process that this one was forked from
│   ├── ForeignDatabase      the file or schema is not ours
│   ├── NewerFormat          written by a newer turnlog
│   ├── OlderFormat          written by a turnlog whose rows are no longer read
│   ├── Corrupt              stored bytes do not say what they must
│   │   └── Rewritten        the log is not what a head was signed of
│   └── Unavailable          timeouts, a full disk, a lost connection
├── BotError                 a bot that cannot be loaded, or whose answer is none
│   └── ToolFailed           a tool that a bot called
├── JudgeError               a judge of replay that cannot be loaded or gives no verdict
├── FormatError              a file that cannot be read or written; names file, line and field
├── ProofError               what is to show something to others does not
│   ├── InvalidKey
│   ├── InvalidNote          no head, or not signed by a key that was given
│   └── InvalidProof
└── MissingExtra             packages that are not installed; names the extra that brings them
"""

from __future__ import annotations

from turnlog.domain.errors import (
    ConversationError,
    Held,
    InvalidEvent,
    InvalidMessage,
    OutOfRange,
    Restricted,
    StaleParent,
    TurnlogError,
    UnknownConversation,
    UnknownPerson,
    UnknownState,
)

__all__ = [
    "AnotherPast",
    "BotError",
    "ConversationError",
    "Corrupt",
    "ForeignDatabase",
    "ForkedLog",
    "FormatError",
    "Held",
    "InvalidEvent",
    "InvalidKey",
    "InvalidMessage",
    "InvalidNote",
    "InvalidProof",
    "JudgeError",
    "MissingExtra",
    "NewerFormat",
    "NoSuchLog",
    "OlderFormat",
    "OutOfRange",
    "ProofError",
    "Restricted",
    "Rewritten",
    "StaleParent",
    "StorageError",
    "ToolFailed",
    "TurnlogError",
    "Unavailable",
    "UnknownConversation",
    "UnknownPerson",
    "UnknownState",
    "VersionConflict",
]


class StorageError(TurnlogError):
    pass


class NoSuchLog(StorageError):
    def __init__(self, where: str) -> None:
        super().__init__(f"{where}: no such log")


class VersionConflict(StorageError):
    def __init__(self, conversation: str, expected: int, actual: int) -> None:
        super().__init__(
            f"conversation {conversation!r}: expected version {expected}, found {actual}"
        )
        self.conversation = conversation
        self.expected = expected
        self.actual = actual


class AnotherPast(StorageError):
    """At `position` the log has another row than the one a follower has read there."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the log has another past: at position {position} is not the row that was read there"
        )
        self.position = position


class ForkedLog(StorageError):
    """`process` opened the log; this one is a fork of it."""

    def __init__(self, url: str, process: int) -> None:
        super().__init__(
            f"{url}: the log was opened in process {process}, of which this one is a fork:"
            " open it again here"
        )
        self.process = process


class ForeignDatabase(StorageError):
    pass


class OlderFormat(StorageError):
    pass


class NewerFormat(StorageError):
    pass


class Corrupt(StorageError):
    pass


class Rewritten(Corrupt):
    """position: the first where the log is another, or its last; None where that is not known."""

    def __init__(
        self, why: str, position: int | None = None, conversation: str | None = None
    ) -> None:
        super().__init__(why)
        self.position = position
        self.conversation = conversation


class Unavailable(StorageError):
    pass


class MissingExtra(TurnlogError, ImportError):
    """`extra` is what `pip install 'turnlog[…]'` names."""

    def __init__(self, what: str, extra: str, package: str | None = None) -> None:
        missing = f" ({package} is not installed)" if package else ""
        super().__init__(f"{what} needs: pip install 'turnlog[{extra}]'{missing}")
        self.extra = extra


class BotError(TurnlogError):
    pass


class ToolFailed(BotError):
    """`result` is what the tool gave instead of an answer."""

    def __init__(self, tool: str, result: object) -> None:
        super().__init__(f"tool {tool!r} failed: {result!r:.200}")
        self.tool = tool
        self.result = result


class JudgeError(TurnlogError):
    pass


class FormatError(TurnlogError):
    """`why` with the place: `file`, `line` (from 1), `conversation`, `turn`, `field`."""

    def __init__(
        self,
        why: str,
        *,
        file: str | None = None,
        line: int | None = None,
        conversation: str | None = None,
        turn: int | None = None,
        field: str | None = None,
    ) -> None:
        self.why = why
        self.file = file
        self.line = line
        self.conversation = conversation
        self.turn = turn
        self.field = field
        super().__init__(str(self))

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line) if part is not None)
        named = [
            part
            for part in (
                place,
                self.conversation and f"conversation {self.conversation!r}",
                None if self.turn is None else f"turn {self.turn}",
                self.field,
            )
            if part
        ]
        return ": ".join([*named, self.why])


class ProofError(TurnlogError):
    pass


class InvalidKey(ProofError):
    pass


class InvalidNote(ProofError):
    pass


class InvalidProof(ProofError):
    pass
