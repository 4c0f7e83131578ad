"""The contract of every back end: what a log stores, and how it is written and read.

A Recorder is also a ProcessRecorder of eventsourcing. Rows are only ever appended. All writing
happens in a transaction, of which there is one at a time for the whole log; positions therefore
have no gaps and become visible in order.
"""

from __future__ import annotations

import hashlib
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol
from uuid import UUID

from eventsourcing.persistence import (
    IntegrityError,
    Notification,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
)

from turnlog.domain.apply import fold
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.storage.rows import Head, Mark, Row, Snapshot, Stored, Table
from turnlog.storage.subscription import Doorbell, Following


class Reader(Protocol):
    """What can be read, in or out of a transaction."""

    def last_position(self) -> int:
        """0 for an empty log."""
        ...

    def head(self, conversation: str) -> Head | None: ...

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """In order of conversation id, those above `after`."""
        ...

    def rows(
        self, conversation: str, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        """Versions above `after` up to and with `upto`, oldest first."""
        ...

    def bodies(
        self, conversation: str, after: int = 0, limit: int | None = None
    ) -> Sequence[tuple[int, str, bytes]]:
        """Version, topic and state of the rows of versions above `after`, oldest first."""
        ...

    def rows_newest_first(self, conversation: str, before: int, limit: int) -> Sequence[Row]:
        """Versions below `before`, newest first."""
        ...

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        """The heads of those that are there, in no order."""
        ...

    def keyed(self, conversation: str, key: str) -> Row | None:
        """The row of an idempotency key."""
        ...

    def keyed_rows(self, keys: Sequence[tuple[str, str]]) -> Sequence[Row]:
        """The rows of those (conversation, key) that are there, in no order."""
        ...

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        """Positions above `after`, in order."""
        ...

    def snapshot(
        self, conversation: str, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        """The newest one at or before an event, or before the end of a turn."""
        ...

    def snapshots(self, conversation: str) -> Sequence[Snapshot]: ...

    def mark(self, model: str) -> Mark | None: ...

    def marks(self) -> Sequence[Mark]: ...

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """One entry of a read model."""
        ...

    def entries(
        self, model: str, conversation: str | None = None, prefix: str = ""
    ) -> Iterator[tuple[str, str, bytes]]:
        """Conversation, key and value, in that order: of one conversation, or of all."""
        ...


class Scan(Reader, Protocol):
    """The log at one moment, whatever is written meanwhile, and as it stands, for the audit.

    Nothing is assumed of what is read: a column that somebody changed may be of any type, and a
    text that is not UTF-8 comes as its bytes.
    """

    def every(self, table: Table) -> Iterator[Stored]:
        """All rows of a table as a stream, commits by conversation and version.

        Several may be read at a time.
        """
        ...

    def complaints(self) -> Iterator[str]:
        """What the back end finds wrong with its own tables and indexes, a line each."""
        ...


class Transaction(Reader, Protocol):
    """The log while one writer holds it. Leaving it commits, an exception rolls back."""

    def append(self, rows: Sequence[Row]) -> None:
        """Raises IntegrityError for a position not above the last, a version or a key there is."""
        ...

    def put_heads(self, heads: Sequence[Head]) -> None: ...

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None: ...

    def put_mark(self, mark: Mark) -> None: ...

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """Write entries (conversation, key, value) of a model; None removes one."""
        ...

    def clear(self, model: str) -> None:
        """Remove a model with its mark."""
        ...


class Recorder(ProcessRecorder):
    """A back end. `reader` and `transaction` are its own; the rest is eventsourcing's contract."""

    url: str
    poll = 0.02
    """Seconds between looks for what other processes wrote, where nothing tells of it."""

    def __init__(self) -> None:
        self.bell = Doorbell()

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Transaction]: ...

    @property
    @abstractmethod
    def reader(self) -> Reader:
        """Reads outside a transaction, from any thread; sees what is committed."""

    @abstractmethod
    def scan(self) -> AbstractContextManager[Scan]: ...

    @abstractmethod
    def close(self) -> None: ...

    def wait_above(self, after: int, timeout: float) -> bool:
        """Whether there are positions above `after`; waits some seconds for them at most."""
        until = time.monotonic() + timeout
        while True:
            rung = self.bell.rung
            if self.reader.last_position() > after:
                return True
            if (left := until - time.monotonic()) <= 0:
                return False
            self.bell.wait(rung, min(left, self.poll))

    # --- eventsourcing's contract, over the one above -------------------------------------------

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append stored events as rows of the chain, with a tracking record if one is given."""
        tracking: Tracking | None = kwargs.get("tracking")
        if not stored_events and tracking is None:
            return None
        with self.transaction() as transaction:
            rows = chained(transaction, stored_events)
            transaction.append(rows)
            transaction.put_heads(advanced(transaction, rows))
            if tracking is not None:
                track(transaction, tracking)
        return [row.position for row in rows] or None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        after = -1 if gt is None else gt
        rows = self.reader.rows(str(originator_id), after, lte, None if desc else limit)
        chosen = rows[::-1][:limit] if desc else rows
        return [StoredEvent(r.conversation, r.version, r.topic, r.state) for r in chosen]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        after = (start or 0) - (1 if inclusive_of_start and start else 0)
        found: list[Notification] = []
        while len(found) < limit:
            rows = self.reader.tail(after, limit)
            for row in rows:
                if stop is not None and row.position > stop:
                    return found
                if (not topics or row.topic in topics) and len(found) < limit:
                    found.append(notification(row))
            if len(rows) < limit:
                break
            after = rows[-1].position
        return found

    def max_notification_id(self) -> int | None:
        return self.reader.last_position() or None

    def insert_tracking(self, tracking: Tracking) -> None:
        with self.transaction() as transaction:
            track(transaction, tracking)

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[Any]:
        return Following(self, gt, topics)

    def max_tracking_id(self, application_name: str) -> int | None:
        mark = self.reader.mark(application_name)
        return mark.position if mark else None


def readable(text: bytes) -> Any:
    """Text as stored; as bytes where it is no UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text


def notification(row: Row) -> Notification:
    return Notification(row.conversation, row.version, row.topic, row.state, row.position)


def track(transaction: Transaction, tracking: Tracking) -> None:
    mark = transaction.mark(tracking.application_name)
    if mark is not None and tracking.notification_id <= mark.position:
        raise IntegrityError(f"{tracking} is not above {mark.position}")
    transaction.put_mark(Mark(tracking.application_name, tracking.notification_id, None))
    seal(transaction)


SEAL = ""
"""The mark that stands for no model: its digest is that of all the others."""


def seal(transaction: Transaction) -> None:
    """Write the seal over the marks; due at the end of every transaction that writes one."""
    transaction.put_mark(sealed(transaction.marks()))


def sealed(marks: Iterable[Mark]) -> Mark:
    """The seal over marks; position is their number."""
    others = sorted(mark for mark in marks if mark.model != SEAL)
    return Mark(SEAL, len(others), hashlib.sha256(binary.encode(others)).digest())


def chained(reader: Reader, stored_events: Sequence[StoredEvent]) -> list[Row]:
    """Rows that go on from what is stored, each naming the digest of the one before."""
    position = reader.last_position()
    newest: dict[str, tuple[int, bytes]] = {}
    rows: list[Row] = []
    for event in stored_events:
        conversation = str(event.originator_id)
        if conversation not in newest:
            head = reader.head(conversation)
            newest[conversation] = (head.version, head.digest) if head else (-1, b"")
        version, previous = newest[conversation]
        if event.originator_version <= version:
            raise IntegrityError(
                f"conversation {conversation!r} has version {version} already,"
                f" {event.originator_version} was to be appended"
            )
        position += 1
        row = Row(
            position,
            conversation,
            event.originator_version,
            event.topic,
            None,
            previous,
            event.state,
        )
        newest[conversation] = (row.version, row.digest())
        rows.append(row)
    return rows


def advanced(reader: Reader, rows: Sequence[Row]) -> list[Head]:
    """The heads that follow from appended rows; rows that are no commits only move the chain."""
    heads: dict[str, Head] = {}
    for row in rows:
        head = heads.get(row.conversation)
        if head is None and row.previous:
            head = reader.head(row.conversation)
        state = binary.decode_state(head.state) if head else State()
        if binary.is_commit(row.topic):
            state = fold(state, row.commit().events)
        heads[row.conversation] = Head(
            row.conversation,
            row.version,
            row.position,
            row.digest(),
            state.event,
            state.turn,
            head.snapshot if head else 0,
            binary.encode_state(state),
        )
    return list(heads.values())
