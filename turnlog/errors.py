"""All errors of turnlog.

TurnlogError
├── ConversationError        a conversation cannot do what the caller asked
│   ├── UnknownConversation
│   │   └── Restricted       it exists, but its processing is restricted
│   ├── UnknownState         the dialog does not have that unit or state
│   ├── OutOfRange           a turn, event, time or log position that does not exist
│   ├── InvalidEvent         a value or an event that cannot be recorded
│   └── StaleParent          a framework continues from a state that is not the newest
├── InvalidMessage           a message that events cannot express
├── UnknownPerson            no person has that id
├── Held                     a hold protects what was to be erased
├── StorageError             the log itself failed
│   ├── NoSuchLog            the database does not exist, or holds no log
│   ├── VersionConflict      another writer appended first
│   ├── AnotherPast          not the log that a follower has read so far
│   ├── ForkedLog            opened by the process from which this one was forked
│   ├── ForeignDatabase      the file or schema belongs to another program
│   ├── NewerFormat          written by a newer turnlog
│   ├── OlderFormat          written by a turnlog whose rows are no longer read
│   ├── Corrupt              the stored bytes are not what was written
│   │   └── Rewritten        the log differs from what a signed head covers
│   └── Unavailable          timeouts, a full disk, a lost connection
├── BotError                 a bot cannot be loaded, or its answer is not valid
│   └── ToolFailed           a tool that a bot called failed
├── JudgeError               a judge of a replay cannot be loaded, or gives no verdict
├── FormatError              a file that cannot be read or written; names file, line and field
├── ProofError               a key, a signed note or a proof is not valid
│   ├── InvalidKey
│   ├── InvalidNote          not a head, or no known key signed it
│   └── InvalidProof
└── MissingExtra             a package is not installed; names the extra that brings it
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
    """The log itself failed. The base of every error of storage."""


class NoSuchLog(StorageError):
    """The database does not exist, or holds no log."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where}: no such log")


class VersionConflict(StorageError):
    """Another writer appended first: the conversation is at version `actual`, not `expected`."""

    def __init__(self, conversation: str, expected: int, actual: int) -> None:
        super().__init__(
            f"conversation {conversation!r}: expected version {expected}, found {actual}"
        )
        self.conversation = conversation
        self.expected = expected
        self.actual = actual


class AnotherPast(StorageError):
    """At `position` the log contains another row than the one that a follower read there."""

    def __init__(self, position: int) -> None:
        super().__init__(
            f"the log has another past: the row at position {position} is not the one read there"
        )
        self.position = position


class ForkedLog(StorageError):
    """This process was forked from `process`, which opened the log."""

    def __init__(self, url: str, process: int) -> None:
        super().__init__(
            f"{url}: the log was opened in process {process}, from which this one was forked:"
            " open it again in this process"
        )
        self.process = process


class ForeignDatabase(StorageError):
    """The file or schema belongs to another program."""


class OlderFormat(StorageError):
    """An older turnlog wrote the log, in a format that is no longer read."""


class NewerFormat(StorageError):
    """A newer turnlog wrote the log."""


class Corrupt(StorageError):
    """The stored bytes are not what was written."""


class Rewritten(Corrupt):
    """The log differs from what a signed head covers.

    position: the first that differs, or the last of the log; None if unknown.
    """

    def __init__(
        self, why: str, position: int | None = None, conversation: str | None = None
    ) -> None:
        super().__init__(why)
        self.position = position
        self.conversation = conversation


class Unavailable(StorageError):
    """The log does not answer: a timeout, a full disk, a lost connection."""


class MissingExtra(TurnlogError, ImportError):
    """A package is not installed. `extra` is the name in `pip install 'turnlog[…]'`."""

    def __init__(self, what: str, extra: str, package: str | None = None) -> None:
        missing = f" ({package} is not installed)" if package else ""
        super().__init__(f"{what} needs: pip install 'turnlog[{extra}]'{missing}")
        self.extra = extra


class BotError(TurnlogError):
    """A bot cannot be loaded, or its answer is not valid."""


class ToolFailed(BotError):
    """A tool that a bot called failed. `result` is its value in place of an answer."""

    def __init__(self, tool: str, result: object) -> None:
        super().__init__(f"tool {tool!r} failed: {result!r:.200}")
        self.tool = tool
        self.result = result


class JudgeError(TurnlogError):
    """A judge of a replay cannot be loaded, or gives no verdict."""


class FormatError(TurnlogError):
    """A file cannot be read or written.

    `why` follows the place: `file`, `line` (from 1), `conversation`, `turn`, `field`.
    """

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
    """A key, a signed note or a proof is not valid. The base of all three errors."""


class InvalidKey(ProofError):
    """The text is not a key of the expected kind."""


class InvalidNote(ProofError):
    """The text is not a head, or no known key signed it."""


class InvalidProof(ProofError):
    """The proof does not show what it claims."""
