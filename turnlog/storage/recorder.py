"""The contract of every back end: what a log stores, and how it is written and read.

Rows are only appended. All writes happen in a transaction, one at a time for the whole log, so that
positions have no gaps and become visible in order.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from eventsourcing.persistence import IntegrityError

from turnlog.encoding.rows import CLEAR
from turnlog.errors import ForkedLog, StorageError
from turnlog.storage import forks
from turnlog.storage.high_water import HighWaterFile
from turnlog.storage.reader import Reader, Scan
from turnlog.storage.recent_digests import RecentDigests
from turnlog.storage.rows import BlobChunk, Checkpoint, Genesis, Head, Key, Row, Snapshot, Stream
from turnlog.storage.signal import Signal

if TYPE_CHECKING:  # imports this module
    from turnlog.keys.store import KeyStore


class Transaction(Reader, Protocol):
    """The log while one writer holds it. Leaving it commits; an exception rolls back."""

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        """Appends rows, the streams that begin with them, and their keys.

        Raises IntegrityError for a position that is not above the last, and for a version or stream
        that exists. Back ends differ in whether they store and refuse keys immediately or in
        `put_keys`.
        """
        ...

    def put_keys(self, keys: Sequence[Key]) -> None:
        """Stores keys; a lookup that exists keeps its position."""
        ...

    def put_genesis(self, genesis: Genesis) -> None:
        """Makes an empty log the copy of another one."""
        ...

    def put_heads(self, heads: Sequence[Head]) -> None:
        """Stores heads, replacing those of the same conversations."""
        ...

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """Stores snapshots."""
        ...

    def drop_snapshots(self, stream: int) -> None:
        """Removes all snapshots of a stream."""
        ...

    def put_chunks(self, chunks: Sequence[BlobChunk]) -> None:
        """Stores chunks. Existing ones stay, because equal names mean equal content."""
        ...

    def drop_chunks(self, name: bytes, below: int) -> None:
        """Removes an attachment's chunks with numbers below `below`."""
        ...

    def put_parts(self, parts: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Replaces commitments and parts of rows, by position, after parts were dropped."""
        ...

    def drop_name(self, stream: int) -> None:
        """Removes a stream's id and its lookup."""
        ...

    def drop_head(self, conversation: str) -> None:
        """Removes the head of a conversation."""
        ...

    def drop_keys(self, prefix: bytes) -> None:
        """Removes the keys whose lookups have a prefix."""
        ...

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Stores a checkpoint, replacing the model's earlier one."""
        ...

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """Writes entries (conversation, key, value) of a model; None removes one."""
        ...

    def clear(self, model: str) -> None:
        """Removes a model with its checkpoint. HEADS means heads, keys and snapshots."""
        ...


class Recorder(forks.Forked, ABC):
    """A back end. `signal` is sent after every commit."""

    url: str
    address = ""
    """The URL with which another process can open it; may contain a password."""

    genesis: Genesis
    gives_positions = False
    """Whether `append` places rows after those that others wrote meanwhile."""

    poll = 0.02
    """Seconds between looks for other processes' rows if no notification arrives."""

    recent: RecentDigests | None = None
    """Digests that the writer notes for a reader that set this."""

    high_water: HighWaterFile | None = None
    """The file with the log's end, for a back end that can lose it silently."""

    keys: KeyStore | None = None
    """The key store of a sealed log."""

    keys_address: str | None = None
    """The URL of the key store."""

    encoding = CLEAR
    """The encoding of the parts of new rows."""

    @property
    def generation(self) -> int:
        """Increases when keys are destroyed; readers then forget what they know."""
        return 0

    @property
    def where(self) -> tuple[str, str | None]:
        """The URLs of the log and of its key store, with which another process can open them."""
        return self.address or self.url, self.keys_address

    @property
    def beneath(self) -> Recorder:
        """The recorder that stores the rows, without seals."""
        return self

    def order(self, conversation: str) -> str:
        """The sort key of a conversation's head: its id, unless ids are sealed."""
        return conversation

    out_of_reach: tuple[str, ...] = ()
    """Where copies may exist that an erasure does not reach."""

    def __init__(self, *, readonly: bool = False) -> None:
        self.signal = Signal()
        self.readonly = readonly
        self.inherited = False
        self._process = os.getpid()
        forks.tell(self)

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Transaction]:
        """The log for one writer; others wait. Leaving it commits, an exception rolls back."""
        ...

    def append(self, rows: Sequence[Row], streams: Sequence[Stream], keys: Sequence[Key]) -> int:
        """Appends what follows from the log as the caller knows it, without reading it first.

        Returns the position of the first row. Raises IntegrityError and stores nothing if a
        version, stream or key exists, or if a position is not the next one: the log is not what the
        caller believed.
        """
        with self.transaction() as transaction:
            if transaction.last_position() != rows[0].position - 1:
                raise IntegrityError(f"position {rows[0].position} is not the next one")
            if keys and transaction.keyed_rows([key.lookup for key in keys]):
                raise IntegrityError("a key exists already")
            transaction.append(rows, streams, keys)
        return rows[0].position

    def vacuum(self, *, full: bool = False, wait: bool = True) -> bool:
        """Removes dropped bytes from free space, and says whether it could.

        full: even if it locks out everyone. wait: for writers and readers.
        """
        self.check_writable()
        return True

    @property
    @abstractmethod
    def reader(self) -> Reader:
        """Reads outside a transaction, from any thread; sees what is committed."""

    @abstractmethod
    def scan(self) -> AbstractContextManager[Scan]:
        """A scan of the whole log."""
        ...

    @abstractmethod
    def close(self) -> None:
        """Closes the log in this process."""
        ...

    def check_writable(self) -> None:
        """Raises StorageError if the log was opened read-only, or by the parent process."""
        self.check_process()
        if self.readonly:
            raise read_only(self.url)

    def check_process(self) -> None:
        """Raises ForkedLog in a fork of the process that opened the log."""
        if self.inherited:
            raise self.forked()

    def forked(self) -> ForkedLog:
        """The error of a use after a fork."""
        return ForkedLog(self.url, self._process)

    def after_fork(self) -> None:
        """Refuses all use in the child, without waiting for locks that threads of the
        parent hold.
        """
        self.inherited = True
        self.signal = Signal()

    def wait_above(self, after: int, timeout: float) -> bool:
        """Whether positions above `after` exist. Waits for them for at most `timeout` seconds."""
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
    """The error of a write to a log that was opened read-only."""
    return StorageError(f"{url}: the log was opened read-only")
