"""The bridge to the eventsourcing library: its application over a log's recorder and writer.

Only the writer stores conversations. Events of other aggregates can be in the same chain, and the
library's projections and process applications can follow the log.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from eventsourcing import persistence
from eventsourcing.application import Application, Repository
from eventsourcing.persistence import (
    IntegrityError,
    Notification,
    ProgrammingError,
    Recording,
    StoredEvent,
    Tracking,
)

from turnlog.domain.commit import Commit
from turnlog.domain.conversation import Conversation
from turnlog.domain.streams import check_id, check_key
from turnlog.encoding import binary
from turnlog.encoding.rows import (
    SALT_BYTES,
    columns,
    decode_commit,
    foreign_columns,
    is_commit,
)
from turnlog.engine.command import recording
from turnlog.engine.request import Request
from turnlog.engine.writer import Writer
from turnlog.errors import VersionConflict
from turnlog.projections.heads import Heads
from turnlog.storage.checkpoints import close_over
from turnlog.storage.contents import StoredContents
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import Checkpoint, Genesis, Row, Stream
from turnlog.storage.subscription import Subscription, batches


class CommitMapper(persistence.Mapper[str]):
    """Converts commits to stored events and back."""

    def __init__(self, store: Recorder) -> None:
        """Needs no transcoder: the commit's encoding is the log's own."""
        self._store = store

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """A commit as a stored event; the state is its skeleton and parts."""
        made = columns(domain_event, os.urandom(SALT_BYTES))
        state = binary.encode((made.skeleton, b"", made.parts))
        return StoredEvent(domain_event.conversation, domain_event.version, made.topic, state)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The commit in a stored event."""
        skeleton, commitments, parts = binary.decode(stored_event.state)
        return decode_commit(
            str(stored_event.originator_id),
            stored_event.originator_version,
            stored_event.topic,
            skeleton,
            commitments,
            parts,
            None,
            1,
            StoredContents(self._store.reader, self._store),
        )


class CommitStore(persistence.EventStore[str]):
    """Stores the commits of a conversation through the log's writer."""

    def __init__(self, mapper: CommitMapper, recorder: StoredEventRecorder, writer: Writer) -> None:
        super().__init__(mapper, recorder)
        self._writer = writer

    def put(self, domain_events: Sequence[Any], **kwargs: Any) -> list[Recording[str]]:
        """Store the pending commits of one conversation, in one transaction.

        Raises IntegrityError if another process recorded first, InvalidEvent for events that cannot
        be stored, and ProgrammingError for anything but one conversation's commits.
        """
        if kwargs.get("tracking") is not None:
            raise ProgrammingError("commits are not stored with a tracking record")
        if not domain_events:
            return []
        if not all(isinstance(event, Commit) for event in domain_events):
            raise ProgrammingError(
                "only conversations can be saved; pass other events to the recorder"
            )
        try:
            commits = self._writer.perform(_saving(domain_events)).commits
        except VersionConflict as error:
            raise IntegrityError(str(error)) from error
        recorder: StoredEventRecorder = self.recorder  # type: ignore[assignment]  # ours
        reader, first, last = recorder.store.reader, commits[0], commits[-1]
        stream = reader.stream(first.conversation, first.life)
        rows = reader.rows(stream.stream, first.version - 1, last.version) if stream else ()
        return [Recording(c, _notification(r)) for c, r in zip(commits, rows, strict=True)]


def _saving(staged: Sequence[Commit]) -> Request:
    """Stores what was staged in a conversation, commit by commit, unless it has continued since.

    Raises InvalidEvent for an invalid id or key, ProgrammingError for a mixture.
    """
    first = staged[0]
    check_id(first.conversation)
    for version, commit in enumerate(staged, first.version):
        if (commit.conversation, commit.version) != (first.conversation, version):
            raise ProgrammingError("save one conversation at a time, with its commits in order")
        if commit.key is not None:
            check_key(commit.conversation, commit.key)
    events = [event for commit in staged for event in commit.events]
    return Request(
        first.conversation,
        recording(events),
        first.recorded,
        expected_version=first.version - 1,
        staged=staged,
    )


class ConversationRepository(Repository[str]):
    """Conversations by id, from the head's state instead of a replay."""

    def __init__(self, application: ConversationApplication) -> None:
        super().__init__(application.events)
        self._application = application

    def get(self, aggregate_id: str, *, version: int | None = None, **kwargs: Any) -> Any:
        """The conversation, now or after a version."""
        return self._application.conversation(aggregate_id, version=version)


class ConversationApplication(Application[str]):
    """eventsourcing's application, with its parts constructed over `store` and `writer`.

    current: the heads of all conversations.
    """

    def __init__(self, store: Recorder) -> None:
        self.store = store
        self.current = Heads(store)
        self.writer = Writer(store, self.current)
        super().__init__()

    @abstractmethod
    def conversation(self, id: str, *, version: int | None = None) -> Conversation:
        """The conversation now, or after a version."""

    def construct_mapper(self) -> CommitMapper:
        """The mapper of commits."""
        return CommitMapper(self.store)

    def construct_recorder(self) -> StoredEventRecorder:
        """The recorder for other aggregates' events."""
        return StoredEventRecorder(self.store, self.current)

    def construct_event_store(self) -> CommitStore:
        """The event store that saves through the writer."""
        return CommitStore(self.construct_mapper(), self.construct_recorder(), self.writer)

    def construct_repository(self) -> ConversationRepository:
        """The repository of conversations."""
        return ConversationRepository(self)


class StoredEventRecorder(persistence.ProcessRecorder):
    """eventsourcing's recorder over the log's own, for the events of other aggregates."""

    def __init__(self, store: Recorder, heads: Heads | None = None) -> None:
        self.store = store
        self._heads = heads or Heads(store)

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Append stored events as rows of the chain, with a tracking record if one is given.

        Raises ProgrammingError for commits, which only the writer stores.
        """
        tracking: Tracking | None = kwargs.get("tracking")
        if not stored_events and tracking is None:
            return None
        if any(is_commit(event.topic) for event in stored_events):
            raise ProgrammingError("only the log's writer stores commits")
        with self.store.transaction() as transaction:
            self._heads.refresh(transaction)
            rows, streams = _chained(self._heads, transaction, self.store.genesis, stored_events)
            transaction.append(rows, streams)
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
        """Stored events of one aggregate, as the library defines it."""
        if (stream := self.store.reader.stream(str(originator_id))) is None:
            return []
        after = -1 if gt is None else gt
        rows = self.store.reader.rows(stream.stream, after, lte, None if desc else limit)
        chosen = rows[::-1][:limit] if desc else rows
        return [StoredEvent(r.conversation, r.version, r.topic, r.body) for r in chosen]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Rows after a position as notifications, as the library defines it."""
        after = (start or 0) - (1 if inclusive_of_start and start else 0)
        rows = batches(self.store.reader, after, stop, limit)
        found = (notification for batch in rows for notification in _notifications(batch, topics))
        return list(islice(found, limit))

    def max_notification_id(self) -> int | None:
        """The position of the last row; None for an empty log."""
        return self.store.reader.last_position() or None

    def insert_tracking(self, tracking: Tracking) -> None:
        """Record another application's position in a transaction."""
        with self.store.transaction() as transaction:
            track(transaction, tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        """The position that another application has reached; None for none."""
        checkpoint = self.store.reader.checkpoint(application_name)
        return checkpoint.position if checkpoint else None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> NotificationSubscription:
        """A subscription to the log's rows."""
        return NotificationSubscription(self, gt, topics)


class NotificationSubscription(persistence.Subscription[Any]):
    """eventsourcing's subscription over the log's own."""

    def __init__(
        self, recorder: StoredEventRecorder, gt: int | None, topics: Sequence[str]
    ) -> None:
        super().__init__(recorder, gt, topics)
        self._following = Subscription(recorder.store, gt or 0)
        self._notifications = self._followed()

    def _followed(self) -> Iterator[Notification]:
        for rows in self._following:
            yield from _notifications(rows, self._topics)

    def stop(self) -> None:
        """End the subscription, including one that waits."""
        super().stop()
        self._following.stop()

    def __next__(self) -> Notification:
        if self._has_been_stopped:
            raise StopIteration
        following = next(self._notifications)
        self._last_notification_id = following.id
        return following


def _notifications(rows: Sequence[Row], topics: Sequence[str]) -> list[Notification]:
    return [_notification(row) for row in rows if not topics or row.topic in topics]


def _notification(row: Row) -> Notification:
    return Notification(row.conversation, row.version, row.topic, row.body, row.position)


def track(transaction: Transaction, tracking: Tracking) -> None:
    """Write another application's position. Raises IntegrityError if it is not new."""
    found = transaction.checkpoint(tracking.application_name)
    if found is not None and tracking.notification_id <= found.position:
        raise IntegrityError(f"{tracking} is not above {found.position}")
    transaction.put_checkpoint(
        Checkpoint(tracking.application_name, tracking.notification_id, None)
    )
    close_over(transaction)


def _chained(
    heads: Heads, reader: Reader, genesis: Genesis, stored_events: Sequence[StoredEvent]
) -> tuple[list[Row], list[Stream]]:
    """Rows that continue the stored ones, each with the digest of the one before."""
    position = reader.last_position()
    names = {str(event.originator_id) for event in stored_events}
    newest: dict[str, tuple[int, bytes, bytes, int]] = {
        name: (head.version, head.digest, head.owner, head.stream)
        for name, head in heads.known(reader, names).items()
    }
    rows: list[Row] = []
    streams: list[Stream] = []
    for event in stored_events:
        conversation = str(event.originator_id)
        if conversation not in newest:
            stream = Stream.of(conversation, 1, genesis.digest, os.urandom)
            streams.append(stream)
            newest[conversation] = (-1, genesis.digest, stream.owner, stream.stream)
        version, previous, owner, number = newest[conversation]
        if event.originator_version <= version:
            raise IntegrityError(
                f"conversation {conversation!r} has version {version} already,"
                f" {event.originator_version} was to be appended"
            )
        position += 1
        made = foreign_columns(event.topic, event.state, os.urandom(SALT_BYTES))
        row = Row(
            position, number, event.originator_version, made.topic, previous, made.skeleton, b"",
            made.parts, owner, None, 1,
        )  # fmt: skip
        newest[conversation] = (row.version, row.digest(), owner, number)
        rows.append(row)
    return rows, streams
