"""Checks one stream: its rows, and the head, snapshots and keys that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from turnlog.audit.attachments import Attached
from turnlog.audit.fault import Fault, Report, named
from turnlog.audit.key_sums import KeySums
from turnlog.domain.commit import Commit
from turnlog.domain.events import Event
from turnlog.domain.fold import Fold
from turnlog.domain.history import past
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.encoding.apart import BARE
from turnlog.encoding.rows import decode_skeleton, disagreements, is_commit
from turnlog.errors import OutOfRange, StorageError
from turnlog.projections.history import StoredHistory
from turnlog.projections.stream_rows import StreamRows
from turnlog.storage.reader import Scan
from turnlog.storage.rows import Head, Row, SealedRow, Snapshot, Stream, has_types


class Chain:
    """Takes the rows of a stream, oldest first, then compares the derived tables with them.

    checkpoint: the position of heads, keys and snapshots. begins: the digest that the first row
    must follow; None if it is unknown.
    """

    def __init__(
        self, conversation: str, stream: Stream | None, scan: Scan, checkpoint: int, report: Report,
        *, begins: bytes | None, keys: KeySums, attached: Attached,
    ) -> None:  # fmt: skip
        self.conversation = conversation
        self._report = report
        self._scan = scan
        self._checkpoint = checkpoint
        self._stream = stream
        self._head = self._of_stream(scan.head(conversation))
        self._snapshots = {
            snapshot.version: snapshot
            for snapshot in (scan.snapshots(stream.stream) if stream else ())
        }
        self._newest_snapshot = 0
        self._last: Row | None = None
        self._is_sound = True
        self.digest = begins
        self.first: bytes | None = None
        self._begins = begins
        self._keys = keys
        self._attached = attached
        self._began = 0
        number = stream.stream if stream else 0
        self._history = StoredHistory(StreamRows(scan, None, conversation, number))
        self._folded = Fold(self._readable)
        self._state: State | None = self._folded.state
        self._due: Head | None = None
        self._due_state: State | None = None
        self.events = self.shared = 0

    def _of_stream(self, head: Head | None) -> Head | None:
        """The head, unless it is that of a later life."""
        if head is None or self._stream is None or head.stream == self._stream.stream:
            return head
        return None

    def fault(self, what: str, event: int | None = None) -> None:
        """Reports a fault of this conversation."""
        self._report(Fault(named(self.conversation), event, what))

    def take(self, row: Row) -> None:
        """Checks one more row and reports its faults."""
        if self._last is None and has_types(row):
            self._begin_fork(row)
        here = self.events + 1
        if self._due is None and self._is_behind(row):
            self._due, self._due_state = self._due_head(), self._state and self._state.copy()
        if not (is_sound := has_types(row)):
            self.fault(f"version {row.version!r}: a column has the wrong type", here)
            self._state = None
        else:
            self._link(row, here)
            self._check_content(row, here)
            if is_commit(row.topic):
                self._fold(row, here)
            self._compare_snapshot(row)
        self._last, self._is_sound = row, is_sound
        self.digest = digest_of(row)
        if isinstance(row, SealedRow) and self.digest not in (row.seal, None):
            what = f"version {row.version!r} does not match the digest stored with it"
            self.fault(what, here)
        if self._due is not None and self._head is not None and row.version == self._head.version:
            self._due, self._due_state = self._due_head(), self._state and self._state.copy()

    def later_rows(self) -> Sequence[Row]:
        """Rows recorded since, if the derived tables that were read already know them."""
        head, last = self._head, self._last
        if last is None or not has_types(last) or (head is not None and not has_types(head)):
            return ()
        is_ahead = head is not None and (
            head.version > last.version or head.snapshot > self._newest_snapshot
        )
        if not is_ahead and not self._snapshots:
            return ()
        return self._scan.rows(last.stream, last.version)

    def _begin_fork(self, row: Row) -> None:
        """Begins in the origin's past if the stream is a fork."""
        try:
            shared = decode_skeleton(row.skeleton).first_event - 1 if is_commit(row.topic) else 0
            if shared < 1:
                return
            history = self._history
            held, state = history.holding(shared), history.state(shared)
        except (StorageError, OutOfRange, TypeError, ValueError, LookupError) as error:
            self.fault(f"its origin cannot be read: {error}", 1)
            return
        self.digest = self._begins = held.digest()
        self.events = self.shared = self._newest_snapshot = shared
        if held.position >= row.position:
            what = f"the origin's row that it continues from is at position {held.position}"
            self.fault(f"{what}, its own first row at {row.position}", shared + 1)
        self._folded = Fold(lambda: self._readable(shared), state, past(history, state))
        self._state = self._folded.state

    def _is_behind(self, row: Row) -> bool:
        """Whether the derived tables may still lack the row."""
        return isinstance(row.position, int) and row.position > self._checkpoint

    def _check_content(self, row: Row, here: int) -> None:
        """Compares stored commitments with the content, which the digest does not cover."""
        try:
            if row.commitments and disagreements(row.commitments, row.parts):
                self.fault(f"version {row.version}: an event is not what was recorded", here)
        except StorageError as error:
            self.fault(f"version {row.version} cannot be read: {error}", here)

    def _link(self, row: Row, here: int) -> None:
        last = self._last
        if last is None:
            self.first = row.previous
        unknown = last is None and self._begins is None
        if row.previous != self.digest and not unknown:
            what = f"version {row.version} does not follow from the row before it"
            self.fault(
                f"{what}: one of the two was changed, or rows between were removed",
                self._began or here,
            )
        if row.position < 1:  # readers in order of position never see it
            self.fault(f"version {row.version} is at position {row.position}", here)
        if last is None:
            if row.version > 1 or row.version < int(is_commit(row.topic)):
                self.fault(f"the first row has version {row.version}", here)
            return
        if not self._is_sound:  # the previous row
            return
        if row.version != last.version + 1:
            self.fault(f"version {row.version} comes after version {last.version}", here)
        if row.position <= last.position:
            what = f"version {row.version} is at position {row.position}"
            self.fault(f"{what}, the version before it at {last.position}", here)

    def _fold(self, row: Row, here: int) -> None:
        self._began = here
        try:
            commit = row.commit(BARE)
        except StorageError as error:
            self.fault(f"version {row.version} cannot be read: {error}", here)
            self._state = None
            return
        self._check_numbers(commit, here)
        self.events = commit.last_event
        self._keys.add(row, commit)
        self._attached.add(row, here)
        if self._state is not None:
            self._take(commit.events)

    def _take(self, events: Sequence[Event]) -> None:
        try:
            self._folded.take(events)
        except LookupError:  # rewinds to an event that is missing, which was reported
            self._state = None

    def _readable(self, after: int = 0) -> Iterator[Event]:
        """Its events, up to the first unreadable one."""
        with suppress(StorageError):
            yield from self._history.events(after, contents=BARE)

    def _check_numbers(self, commit: Commit, here: int) -> None:
        if commit.first_event != here:
            what = f"version {commit.version} begins with event {commit.first_event}"
            self.fault(f"{what} instead of {here}", here)
            self._state = None
        elif self._state is not None and commit.first_turn != self._state.turn:
            what = f"version {commit.version} begins after turn {commit.first_turn}"
            self.fault(f"{what} instead of {self._state.turn}", here)

    def _compare_snapshot(self, row: Row) -> None:
        snapshot = self._snapshots.pop(row.version, None)
        if snapshot is None or self._state is None:
            return
        state = self._state
        expected = Snapshot(
            row.stream, row.version, state.event, state.turn, row.digest(), b"",
            self._newest_snapshot,
        )  # fmt: skip
        what = f"the snapshot of version {row.version} has a different"
        for column in _differing(snapshot._replace(state=b""), expected):
            self.fault(f"{what} {column}", self.events)
        if not same_state(snapshot.state, state):
            self.fault(f"{what} state", self.events)
        self._newest_snapshot = state.event

    def finish(self) -> None:
        """Compares the head, and reports snapshots without a row."""
        for version in self._snapshots if self._state is not None else ():
            self.fault(f"a snapshot of version {version!r} has no row", None)
        if self._last is None:
            self.fault("a head or a snapshot has no rows: they were cut off")
            return
        due, state = self._due, self._due_state
        if due is None:
            due, state = self._due_head(), self._state
        head = self._head
        if head is None:
            if due.version and self._is_newest_life():
                self.fault("its rows have no head", self.events)
        elif self._state is None:
            self._compare(head, head._replace(stream=self._last.stream))
        else:
            if self._state.deleted and state is not None and not state.deleted:
                due = due._replace(snapshot=head.snapshot)  # the deletion may have dropped it
            self._compare(head, due)
            if state is not None and not same_state(head.state, state):
                self.fault("the head's state does not follow from its events", self.events)

    def _is_newest_life(self) -> bool:
        if self._stream is not None and self._stream.name is None:
            return False  # its id was dropped, with all derived data
        newest = self._scan.stream(self.conversation)
        return self._stream is None or newest is None or newest.stream == self._stream.stream

    def _due_head(self) -> Head:
        """The head that follows from the rows so far."""
        last, state = self._last, self._state or State()
        stream, life, owner, _ = self._stream or Stream(0, 1, b"", None)
        if last is None:
            return Head(self.conversation, stream, owner, life, 0, 0, b"", 0, 0, 0, b"")
        snapshot = 0 if state.deleted else self._newest_snapshot
        return Head(
            self.conversation, stream, owner, life, last.version, last.position,
            self.digest or b"", state.event, state.turn, snapshot, b"",
        )  # fmt: skip

    def _compare(self, head: Head, expected: Head) -> None:
        for column in _differing(head._replace(state=b""), expected._replace(state=b"")):
            stored, wanted = getattr(head, column), getattr(expected, column)
            what = (
                ""
                if column == "digest"
                else f" ({stored!r:.40}) than its rows say ({wanted!r:.40})"
            )
            why = "the head was changed, or rows were cut off"
            self.fault(f"the head has a different {column}{what}: {why}", self.events)


def check(chain: Chain, rows: Iterable[Row]) -> int:
    """Reports the faults of a stream and of what is derived from it; counts its own events."""
    for row in rows:
        chain.take(row)
    for row in chain.later_rows():
        chain.take(row)
    chain.finish()
    return chain.events - chain.shared


def digest_of(row: Row) -> bytes | None:
    """The row's digest; None for a row that was changed so that it has none."""
    try:
        return row.digest()
    except (TypeError, ValueError, OverflowError, AttributeError, StorageError):
        return None


def _differing(stored: Head | Snapshot, expected: Head | Snapshot) -> list[str]:
    return [
        column
        for column, value, wanted in zip(stored._fields, stored, expected, strict=True)
        if type(value) is not type(wanted) or value != wanted
    ]


def same_state(stored: object, state: State) -> bool:
    """Whether stored bytes encode the state; those of an older version may be shorter."""
    encoded = binary.encode_state(state)
    if stored == encoded:
        return True
    if not isinstance(stored, bytes):
        return False
    try:
        return binary.encode_state(binary.decode_state(stored)) == encoded
    except StorageError:
        return False
