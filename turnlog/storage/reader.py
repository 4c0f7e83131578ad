"""What can be read of a log, whatever the back end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from turnlog.storage.rows import (
    BlobChunk,
    Body,
    Checkpoint,
    Entry,
    Head,
    Row,
    Snapshot,
    Stored,
    Stream,
)


class Reader(Protocol):
    """What can be read, in or out of a transaction."""

    @property
    def secret(self) -> bytes:
        """What ids are looked up with."""
        ...

    def last_position(self) -> int:
        """0 for an empty log."""
        ...

    def head(self, conversation: str) -> Head | None: ...

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """In order of conversation id, those above `after`."""
        ...

    def heads_newest_first(self, before: int, limit: int) -> Sequence[Head]:
        """Those whose newest row is below a position, the highest first."""
        ...

    def rows(
        self, stream: int, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        """Versions of a stream above `after` up to and with `upto`, oldest first."""
        ...

    def bodies(self, stream: int, after: int = 0, limit: int | None = None) -> Sequence[Body]:
        """The rows of versions above `after`, oldest first, as stored: for Links to check.

        They may be plain tuples, and what they hold of any type.
        """
        ...

    def rows_newest_first(self, stream: int, before: int, limit: int) -> Sequence[Row]:
        """Versions below `before`, newest first."""
        ...

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        """The heads of those that are there, in no order."""
        ...

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        """The rows of those keys that the table of keys has, in no order."""
        ...

    def keyed_rows_under(self, prefix: bytes) -> Sequence[Row]:
        """The rows of the keys in that table whose lookups begin so, in order of position."""
        ...

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        """That life of a conversation; None for the newest."""
        ...

    def stream_of(self, number: int) -> Stream | None:
        """The stream of a number, whether or not its id was dropped."""
        ...

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        """Positions above `after`, in order."""
        ...

    def snapshot(
        self, stream: int, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        """The newest one at or before an event, or before the end of a turn."""
        ...

    def snapshots(self, stream: int) -> Sequence[Snapshot]: ...

    def chunks(self, name: bytes, first: int, count: int) -> Sequence[BlobChunk]:
        """Of an attachment, from that number on, in order."""
        ...

    def stored(self, name: bytes | None = None) -> tuple[int, int]:
        """How many chunks an attachment has, and how many bytes there are in them.

        name: None for all attachments.
        """
        ...

    def attachment_names(self) -> Sequence[bytes]:
        """Of all that there are chunks of."""
        ...

    def checkpoint(self, model: str) -> Checkpoint | None: ...

    def checkpoints(self) -> Sequence[Checkpoint]: ...

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """One entry of a read model."""
        ...

    def entries(
        self,
        model: str,
        conversation: str | None = None,
        prefix: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, str, bytes]]:
        """Conversation, key and value, in that order: of one conversation, or of all.

        limit: how many of the first at most.
        """
        ...

    def entries_of(self, model: str, conversations: Sequence[str]) -> Sequence[Entry]:
        """All of several conversations, in no order."""
        ...


class Scan(Reader, Protocol):
    """The log up to one position, whatever is written meanwhile, and as it stands, for the audit.

    What is derived from the rows is read as it is at one moment, or, where holding on to that
    would cost those who write, as it is when it is read: it may know of rows beyond the position.
    Nothing is assumed of what is read: a column that somebody changed may be of any type, and a
    text that is not UTF-8 comes as its bytes.
    """

    def last_position(self) -> int:
        """Up to where `every` and `rows_between` read rows: the log's end when first asked."""
        ...

    def at_once(self) -> AbstractContextManager[Scan]:
        """The same with everything as it is at one moment; for a short while."""
        ...

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        """All rows of the table of this type as they come, rows by stream and version.

        Several may be read at a time.
        """
        ...

    def rows_between(self, first: int, last: int) -> Iterator[Row]:
        """As `every(Row)`, of the streams of numbers from `first` up to and with `last`."""
        ...

    def complaints(self) -> Iterator[str]:
        """What the back end finds wrong with its own tables and indexes, a line each."""
        ...
