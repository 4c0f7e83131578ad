"""The contract of every back end: what a log stores, and how it is written and read.

Rows are only ever appended. All writing happens in a transaction, of which there is one at a time
for the whole log; positions therefore have no gaps and become visible in order.
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

if TYPE_CHECKING:  # which knows recorders
    from turnlog.keys.store import KeyStore


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
