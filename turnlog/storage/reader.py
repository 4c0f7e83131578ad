"""What can be read of a log, in every back end."""

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
    """Reads a log, inside or outside a transaction."""

    @property
    def secret(self) -> bytes:
        """The secret from which lookups of ids are made."""
        ...

    def last_position(self) -> int:
        """The newest position; 0 for an empty log."""
        ...

    def head(self, conversation: str) -> Head | None:
        """The head of a conversation, or None."""
        ...

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """Heads with ids above `after`, in order of id."""
        ...

    def heads_newest_first(self, before: int, limit: int) -> Sequence[Head]:
        """Heads whose newest row is below a position, highest first."""
        ...

    def rows(
        self, stream: int, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        """Rows of a stream with versions above `after` up to and including `upto`, oldest first."""
        ...

    def bodies(self, stream: int, after: int = 0, limit: int | None = None) -> Sequence[Body]:
        """Rows of a stream with versions above `after`, oldest first, as stored, for Links to
        check.

        They may be plain tuples with values of any type.
        """
        ...

    def rows_newest_first(self, stream: int, before: int, limit: int) -> Sequence[Row]:
        """Rows of a stream with versions below `before`, newest first."""
        ...

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        """The heads of existing conversations, in no order."""
        ...

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        """The rows of the keys that the table of keys contains, in no order."""
        ...

    def keyed_rows_under(self, prefix: bytes) -> Sequence[Row]:
        """The rows of the keys whose lookups have a prefix, in order of position."""
        ...

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        """The stream of a life of a conversation; of the newest life if None."""
        ...

    def stream_of(self, number: int) -> Stream | None:
        """The stream with a number, even if its id was dropped."""
        ...

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        """Rows at positions above `after`, in order."""
        ...

    def snapshot(
        self, stream: int, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        """A stream's newest snapshot at or before an event, or before the end of a turn."""
        ...

    def snapshots(self, stream: int) -> Sequence[Snapshot]:
        """All snapshots of a stream, oldest first."""
        ...

    def chunks(self, name: bytes, first: int, count: int) -> Sequence[BlobChunk]:
        """An attachment's chunks from number `first` on, in order."""
        ...

    def stored(self, name: bytes | None = None) -> tuple[int, int]:
        """The number of an attachment's chunks, and of the bytes in them.

        name: None for all attachments.
        """
        ...

    def attachment_names(self) -> Sequence[bytes]:
        """The names of all attachments that have chunks."""
        ...

    def checkpoint(self, model: str) -> Checkpoint | None:
        """The checkpoint of a model, or None."""
        ...

    def checkpoints(self) -> Sequence[Checkpoint]:
        """All checkpoints."""
        ...

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """The value of one entry of a read model, encoded."""
        ...

    def entries(
        self,
        model: str,
        conversation: str | None = None,
        prefix: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, str, bytes]]:
        """Conversation, key and value of entries, in that order; of all conversations if None.

        limit: the largest number of entries.
        """
        ...

    def entries_of(self, model: str, conversations: Sequence[str]) -> Sequence[Entry]:
        """All entries of several conversations, in no order."""
        ...


class Scan(Reader, Protocol):
    """The log up to one position, unaffected by later writes, and as stored, for the audit.

    Derived tables are read as of one moment or, if holding that moment would slow down writers, as
    of the time of reading; they may refer to later rows. Values are not checked: a changed column
    may have any type, and a text that is not UTF-8 is returned as bytes.
    """

    def last_position(self) -> int:
        """The position up to which `every` and `rows_between` read: the log's end at the first
        call.
        """
        ...

    def at_once(self) -> AbstractContextManager[Scan]:
        """A scan that reads everything as of one moment; for a short time."""
        ...

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        """All rows of the type's table as they come; log rows by stream and version.

        Several iterations may run at a time.
        """
        ...

    def rows_between(self, first: int, last: int) -> Iterator[Row]:
        """Like `every(Row)`, for streams numbered from `first` to `last`."""
        ...

    def complaints(self) -> Iterator[str]:
        """Faults that the back end finds in its own tables and indexes, one line each."""
        ...
