"""The contract of every back end: what a log stores, and how it is written and read.

Rows are only ever appended. All writing happens in a transaction, of which there is one at a time
for the whole log; positions therefore have no gaps and become visible in order.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from eventsourcing.persistence import IntegrityError

from turnlog.encoding.rows import CLEAR
from turnlog.errors import ForkedLog, StorageError
from turnlog.storage import forks
from turnlog.storage.high_water import HighWaterFile
from turnlog.storage.recent_digests import RecentDigests
from turnlog.storage.rows import (
    BlobChunk,
    Body,
    Checkpoint,
    Entry,
    Genesis,
    Head,
    Key,
    Row,
    Snapshot,
    Stored,
    Stream,
)
from turnlog.storage.signal import Signal

if TYPE_CHECKING:  # which knows recorders
    from turnlog.keys.store import KeyStore


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


class Transaction(Reader, Protocol):
    """The log while one writer holds it. Leaving it commits, an exception rolls back."""

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        """Rows, the streams that begin with them, and their keys.

        Raises IntegrityError for a position not above the last, and for a version or stream that
        is there. Whether keys are kept, and refused, at once or by `put_keys` alone is the back
        end's own affair.
        """
        ...

    def put_keys(self, keys: Sequence[Key]) -> None: ...

    def put_genesis(self, genesis: Genesis) -> None:
        """Make an empty log the copy of another one."""
        ...

    def put_heads(self, heads: Sequence[Head]) -> None: ...

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None: ...

    def drop_snapshots(self, stream: int) -> None: ...

    def put_chunks(self, chunks: Sequence[BlobChunk]) -> None:
        """Those that are there stay: what has the same name says the same."""
        ...

    def drop_chunks(self, name: bytes, below: int) -> None:
        """Remove an attachment's chunks with numbers below that."""
        ...

    def put_parts(self, parts: Sequence[tuple[int, bytes, bytes]]) -> None:
        """What is left of rows: position, commitments and parts, after some were dropped."""
        ...

    def drop_name(self, stream: int) -> None:
        """Remove the id of a stream, and what finds it."""
        ...

    def drop_head(self, conversation: str) -> None: ...

    def drop_keys(self, prefix: bytes) -> None:
        """Remove the keys whose lookups begin so."""
        ...

    def put_checkpoint(self, checkpoint: Checkpoint) -> None: ...

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """Write entries (conversation, key, value) of a model; None removes one."""
        ...

    def clear(self, model: str) -> None:
        """Remove a model with its checkpoint; HEADS are heads, keys and snapshots."""
        ...


class Recorder(forks.Forked, ABC):
    """A back end. `signal` is sent after every commit."""

    url: str
    address = ""
    """The URL that it was opened by, as another process needs it; it may hold a password."""

    genesis: Genesis
    gives_positions = False
    """Whether `append` puts rows behind those that others wrote meanwhile."""

    poll = 0.02
    """Seconds between looks for what other processes wrote, where nothing tells of it."""

    recent: RecentDigests | None = None
    """What the writer notes for whoever asked for it by putting it here."""

    high_water: HighWaterFile | None = None
    """What vouches for the log's end, where a back end can lose it unnoticed."""

    keys: KeyStore | None = None
    """The key store of a log that is sealed."""

    keys_address: str | None = None
    """The URL that it was opened by."""

    encoding = CLEAR
    """Of the parts of rows that are written."""

    @property
    def generation(self) -> int:
        """Counts the times when keys were destroyed: what is known from before is forgotten."""
        return 0

    @property
    def where(self) -> tuple[str, str | None]:
        """The URLs of the log and of its key store, as another process needs them."""
        return self.address or self.url, self.keys_address

    @property
    def beneath(self) -> Recorder:
        """What stores it, as it is stored."""
        return self

    def order(self, conversation: str) -> str:
        """What heads are sorted by; the ids themselves, unless they are sealed."""
        return conversation

    out_of_reach: tuple[str, ...] = ()
    """Where copies can be that an erasure does not reach."""

    def __init__(self, *, readonly: bool = False) -> None:
        self.signal = Signal()
        self.readonly = readonly
        self.inherited = False
        self._process = os.getpid()
        forks.tell(self)

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Transaction]: ...

    def append(self, rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key]) -> int:
        """Append what follows from the log as the caller knows it, without looking first.

        Returns the position of the first row. Raises IntegrityError, and stores nothing, where a
        version, a stream or a key is there, or a position that is not the recorder's to give: the
        log is not what the caller believed.
        """
        with self.transaction() as transaction:
            if transaction.last_position() != rows[0].position - 1:
                raise IntegrityError(f"position {rows[0].position} is not the next")
            if keys and transaction.keyed_rows([key.lookup for key in keys]):
                raise IntegrityError("a key is there")
            transaction.append(rows, streams, keys)
        return rows[0].position

    def vacuum(self, *, full: bool = False, wait: bool = True) -> bool:
        """Leave no byte of what was dropped in free space; whether that could be done.

        full: also where it locks out all others. wait: for who writes or reads meanwhile.
        """
        self.check_writable()
        return True

    @property
    @abstractmethod
    def reader(self) -> Reader:
        """Reads outside a transaction, from any thread; sees what is committed."""

    @abstractmethod
    def scan(self) -> AbstractContextManager[Scan]: ...

    @abstractmethod
    def close(self) -> None: ...

    def check_writable(self) -> None:
        """Raise StorageError where the log was opened to be read only, or before a fork."""
        self.check_process()
        if self.readonly:
            raise read_only(self.url)

    def check_process(self) -> None:
        """Raise ForkedLog in a fork of the process that opened the log."""
        if self.inherited:
            raise self.forked()

    def forked(self) -> ForkedLog:
        return ForkedLog(self.url, self._process)

    def after_fork(self) -> None:
        """Let nobody in; no lock that a thread of the parent holds is waited for."""
        self.inherited = True
        self.signal = Signal()

    def wait_above(self, after: int, timeout: float) -> bool:
        """Whether there are positions above `after`; waits some seconds for them at most."""
        until = time.monotonic() + timeout
        while True:
            self.check_process()
            seen = self.signal.sent
            if self.reader.last_position() > after:
                return True
            if (left := until - time.monotonic()) <= 0:
                return False
            self.signal.wait(seen, min(left, self.poll))


def read_only(url: str) -> StorageError:
    return StorageError(f"{url}: the log was opened read-only")
