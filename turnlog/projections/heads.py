"""Where every conversation stands: the table of heads, and the rows behind it folded in.

Heads, keys and snapshots follow behind the rows, with one checkpoint for the three. Whoever reads
folds the tail in memory; whoever writes brings the tables up to the end of the log now and then.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby

import msgspec

from turnlog.domain.events import Event
from turnlog.domain.fold import Fold
from turnlog.domain.history import History, past
from turnlog.domain.rewinds import goes_behind
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.encoding.rows import is_commit
from turnlog.errors import AnotherPast, Corrupt, OutOfRange, Unavailable
from turnlog.projections.history import StoredHistory
from turnlog.storage import forks
from turnlog.storage.checkpoints import close_over
from turnlog.storage.links import (
    AnyLinks,
    CheckedRows,
    Link,
    Links,
    Unchecked,
    beginning,
    check_stream,
    ending,
)
from turnlog.storage.recorder import Reader, Recorder, Transaction
from turnlog.storage.rows import HEADS, Checkpoint, Head, Key, Row, Snapshot, key_lookup
from turnlog.storage.subscription import BATCH_COMMITS, batches, check_past

SNAPSHOT_EVERY = 256
"""Events between the snapshots of a conversation."""

BEHIND_ROWS = 1_000
"""Rows after which a writer brings the tables up to the end of the log."""

KEPT_HEADS = 1_000
"""Heads of conversations outside the tail that are kept in memory."""

logger = logging.getLogger(__name__)


class LiveHead(msgspec.Struct, frozen=True):
    """A head with its state, at the end of the log; digest: of its newest row."""

    conversation: str
    stream: int
    owner: bytes
    life: int
    version: int
    position: int
    digest: bytes
    snapshot: int
    state: State

    @classmethod
    def of(cls, head: Head) -> LiveHead:
        state = binary.decode_state(head.state)
        return cls(
            head.conversation, head.stream, head.owner, head.life, head.version,
            head.position, head.digest, head.snapshot, state,
        )  # fmt: skip

    @property
    def event(self) -> int:
        """Number of its last event."""
        return self.state.event

    @property
    def turn(self) -> int:
        return self.state.turn

    def stored(self) -> Head:
        state = self.state
        return Head(
            self.conversation, self.stream, self.owner, self.life, self.version,
            self.position, self.digest, state.event, state.turn, self.snapshot,
            binary.encode_state(state),
        )  # fmt: skip

    def due(self, before: int, events: Sequence[Event]) -> Snapshot | None:
        """The snapshot to be taken here, the one before being after the event `before`.

        Also where one of the newest events goes back to before that one, so that what follows on
        a snapshot never does.
        """
        goes_on = self.state.event - before < SNAPSHOT_EVERY and not goes_behind(events, before)
        if self.state.deleted or goes_on:
            return None
        stored = self.stored()
        return Snapshot(
            self.stream, self.version, stored.event, stored.turn, self.digest, stored.state, before
        )


class Following(msgspec.Struct):
    """What follows from rows of one conversation: its head, snapshots by position, keys by life."""

    head: LiveHead | None
    snapshots: list[tuple[int, Snapshot]] = []
    keys: dict[tuple[str, int], int] = {}

    def take(self, rows: Sequence[Row], history: History) -> None:
        """Further rows of one stream; those that the head has seen change nothing.

        history: the conversation's past, as far as it comes before them.
        """
        head = self.head if self.head and self.head.stream == rows[0].stream else None
        new = [row for row in rows if head is None or row.version > head.version]
        state = head.state.copy() if head else State()
        folded = Fold(lambda: _events(new), state, past(history, state))
        for row in new:
            _check(head, row)
            commit = row.commit() if is_commit(row.topic) else None
            if commit is not None and commit.key is not None:
                self.keys[commit.key, row.life] = row.position
            events = commit.events if commit else ()
            head = self._follow(row, folded.take(events).copy(), head, events)

    def _follow(
        self, row: Row, state: State, before: LiveHead | None, events: Sequence[Event]
    ) -> LiveHead:
        """The head after a row."""
        snapshot = 0 if state.deleted or before is None else before.snapshot
        head = LiveHead(
            row.conversation, row.stream, row.owner, row.life, row.version, row.position,
            row.digest(), snapshot, state,
        )  # fmt: skip
        return self.put(head, snapshot, events)

    def move(self, by: int) -> None:
        """The same at positions that are higher by so many."""
        assert self.head is not None
        self.head = msgspec.structs.replace(self.head, position=self.head.position + by)
        self.snapshots = [(position + by, snapshot) for position, snapshot in self.snapshots]

    def put(self, head: LiveHead, before: int, events: Sequence[Event]) -> LiveHead:
        """The head after one more commit of these events, with the snapshot that is due there."""
        if (snapshot := head.due(before, events)) is not None:
            self.snapshots.append((head.position, snapshot))
            head = msgspec.structs.replace(head, snapshot=snapshot.event)
        self.head = head
        return head


def _check(head: LiveHead | None, row: Row) -> None:
    """Raise Corrupt for a row that does not go on from the head."""
    if (
        row.version > 1
        if head is None
        else (row.version - 1, row.previous) != (head.version, head.digest)
    ):
        where = f"conversation {row.conversation!r}, version {row.version}"
        raise Corrupt(f"{where} does not follow from the row before it")


def _events(rows: Iterable[Row]) -> Iterator[Event]:
    for row in rows:
        if is_commit(row.topic):
            yield from row.commit().events


class Heads(forks.Forked):
    """The heads of a log for one process; safe to use from several threads.

    position: up to which all rows are known; None before the first look. Rows of ours may lie
    beyond those of others that were not looked at yet.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._live: OrderedDict[str, LiveHead] = OrderedDict()
        self._pending: dict[str, list[Row]] = {}
        self._snapshots: dict[str, list[tuple[int, Snapshot]]] = {}
        self._keys: dict[bytes, int] = {}
        self._checkpoint = 0
        self._end = 0
        self._moves = 0  # of the checkpoint, with each of which heads may be let go of
        self._checked = CheckedRows()
        self.position: int | None = None
        forks.tell(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    @property
    def behind(self) -> int:
        """Rows that the tables do not know of."""
        return max(self.position or 0, self._end) - self._checkpoint

    def overdue(self) -> bool:
        """Whether a writer shall bring the tables up: no other process has done it meanwhile."""
        if self.behind >= BEHIND_ROWS:
            found = self._recorder.reader.checkpoint(HEADS)
            with self._lock:
                self._let_go(found.position if found else 0)
        return self.behind >= BEHIND_ROWS

    # --- reading --------------------------------------------------------------------------------

    def refresh(self, reader: Reader) -> None:
        """Look what was recorded since the last look, whoever did."""
        was_empty = self.position == 0
        if self.position is None or self.behind > 4 * BEHIND_ROWS:
            self._load(reader)
        while rows := reader.tail(self.position or 0, BATCH_COMMITS):
            if was_empty and rows[0].position == 1:
                self._check_beginning(rows[0])
            self._note(rows)

    def _check_beginning(self, row: Row) -> None:
        """Raise Unavailable where an empty log became the copy of another one meanwhile."""
        if row.previous != self._recorder.genesis.digest:
            what = "was empty when it was opened, and was filled by a restore: open it again"
            raise Unavailable(f"{self._recorder.url}: the log {what}")

    def _load(self, reader: Reader) -> None:
        """Where the tables are now, of which less has to be kept in memory."""
        found = reader.checkpoint(HEADS)
        checkpoint = found.position if found else 0
        if checkpoint:
            _check_end(reader, checkpoint)
        with self._lock:
            if self.position is None or self.position < checkpoint:
                self._live.clear()
                self._pending.clear()
                self._moves += 1
                self.position = checkpoint
            self._let_go(checkpoint)

    def _note(self, rows: Sequence[Row]) -> None:
        with self._lock:
            for row in rows:
                if row.position > (self.position or 0):
                    self.position = row.position
                    if row.name is None:  # its id was dropped: nobody asks for it by its name
                        continue
                    try:
                        self._pending.setdefault(row.conversation, []).append(row)
                    except Corrupt as error:  # nobody can ask for it by its name
                        logger.error("position %d: %s", row.position, error)

    def head(self, reader: Reader, conversation: str) -> LiveHead | None:
        """Where a conversation stands; None where there is none."""
        self.refresh(reader)
        return self.known(reader, [conversation]).get(conversation)

    def kept(self, conversations: Iterable[str]) -> dict[str, LiveHead | None]:
        """Those in memory, without a look; the same objects as long as nobody goes on from them."""
        return {conversation: self._live.get(conversation) for conversation in conversations}

    def known(self, reader: Reader, conversations: Iterable[str]) -> dict[str, LiveHead]:
        """Where they stood at the last look, those that there are."""
        found: dict[str, LiveHead] = {}
        missing: list[str] = []
        for conversation in conversations:
            # in this order: whoever takes a row out of the tail has put the head in before
            if conversation in self._pending or (live := self._live.get(conversation)) is None:
                missing.append(conversation)
            else:
                found[conversation] = live
        return self._folded(reader, missing, found) if missing else found

    def _folded(
        self, reader: Reader, conversations: Sequence[str], found: dict[str, LiveHead]
    ) -> dict[str, LiveHead]:
        with self._lock:
            moves = self._moves
            rows = {name: [*self._pending.get(name, ())] for name in conversations}
            live = {name: self._live.get(name) for name in conversations}
        again: list[str] = []
        absent = [name for name, head in live.items() if head is None]
        stored = {h.conversation: h for h in reader.heads_of(absent)} if absent else {}
        for name in conversations:
            base = live[name] or (LiveHead.of(stored[name]) if name in stored else None)
            following = Following(base, [], {})
            seen = base.position if base else 0  # of any life: others may have caught up beyond
            new = [row for row in rows[name] if row.position > seen]
            for _, same in groupby(new, key=lambda row: row.stream):
                of_life = [*same]
                is_newest = of_life[-1] is new[-1]
                life = None if is_newest else of_life[-1].life
                following.take(of_life, StoredHistory(reader, name, self, life))
            if following.head is not None:
                found[name] = following.head
                if not self._keep(name, following, moves):
                    again.append(name)
        return self._folded(reader, again, found) if again else found

    def _keep(self, conversation: str, following: Following, moves: int) -> bool:
        """Whether it is kept: not where the checkpoint moved since it was read.

        A newer head may have come meanwhile, and gone into the table.
        """
        head = following.head
        assert head is not None
        with self._lock:
            if moves != self._moves:
                return False
            if self._put_newer(conversation, following):
                secret = self._recorder.genesis.secret
                for (key, life), position in following.keys.items():
                    self._keys[key_lookup(secret, conversation, key, life)] = position
            self._settle(conversation)
            if len(self._live) > KEPT_HEADS + BEHIND_ROWS:
                self._trim()
            return True

    def _put_newer(self, conversation: str, following: Following) -> bool:
        """Whether it was put: not where a thread has read beyond it meanwhile."""
        head, live = following.head, self._live.get(conversation)
        assert head is not None
        if live is not None and live.position >= head.position:
            return False
        self._live[conversation] = head
        self._live.move_to_end(conversation)
        if following.snapshots:
            self._snapshots.setdefault(conversation, []).extend(following.snapshots)
        return True

    def _settle(self, conversation: str) -> None:
        """Let go of rows that the head has seen."""
        if (rows := self._pending.pop(conversation, None)) is not None:
            seen = self._live[conversation].position
            if left := [row for row in rows if row.position > seen]:
                self._pending[conversation] = left

    def key(self, lookup: bytes) -> int | None:
        """Position of the row of an idempotency key, if it was given in the tail."""
        return self._keys.get(lookup)

    def links(
        self,
        reader: Reader,
        conversation: str,
        begin: Link | None = None,
        life: int | None = None,
    ) -> AnyLinks:
        """What checks a conversation's rows; begin: the row before the first, if there is one."""
        head = self._live.get(conversation) or reader.head(conversation)
        stream = reader.stream(conversation, life)
        if stream is None:
            if head is not None:
                raise Corrupt(f"conversation {conversation!r}: it is not found by its id")
            return Unchecked(begin)
        genesis = self._recorder.genesis.digest
        check_stream(conversation, stream, genesis)
        if head and head.stream == stream.stream:
            end: Link | None = Link(head.version, head.digest)
        else:
            end = ending(reader, conversation, stream.life)
        begin = begin or beginning(reader, conversation, stream.life, genesis)
        return Links(conversation, stream, begin, end, self._checked)

    def snapshot(
        self, conversation: str, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        """As a reader gives it, of those that the table does not have yet."""
        with self._lock:
            due = [snapshot for _, snapshot in self._snapshots.get(conversation, ())]
        fitting = (
            snapshot
            for snapshot in due
            if (event is None or snapshot.event <= event)
            and (turn is None or snapshot.turn <= turn)
        )
        return max(fitting, key=lambda snapshot: snapshot.event, default=None)

    def every(self, reader: Reader) -> Iterator[LiveHead]:
        """Every conversation's head, in order of id."""
        self.refresh(reader)
        tail = sorted(self._tail(reader).items())
        table = ((head.conversation, LiveHead.of(head)) for head in _stored(reader))
        both = merge(table, tail, key=lambda each: each[0])
        for _, same in groupby(both, key=lambda each: each[0]):
            yield max((head for _, head in same), key=lambda head: head.position)

    def _tail(self, reader: Reader) -> dict[str, LiveHead]:
        """Heads that the table may not have yet."""
        with self._lock:
            pending = [*self._pending]
        self.known(reader, pending)
        with self._lock:
            return {n: head for n, head in self._live.items() if head.position > self._checkpoint}

    # --- writing --------------------------------------------------------------------------------

    def written(
        self,
        after: int,
        position: int,
        following: Mapping[str, Following],
        keys: Mapping[bytes, int],
    ) -> None:
        """What a writer has committed behind a position, and up to which."""
        with self._lock:
            for conversation, each in following.items():
                self._put_newer(conversation, each)
                self._settle(conversation)
            self._keys.update(keys)
            self._end = max(position, self._end)
            if after <= (self.position or 0):  # else others wrote in between
                self.position = max(position, self.position or 0)
            if len(self._live) > KEPT_HEADS + BEHIND_ROWS:
                self._trim()

    def catch_up(self) -> None:
        """Bring heads, keys and snapshots up to the end of the log."""
        with self._recorder.transaction() as transaction:
            self.refresh(transaction)
            found = transaction.checkpoint(HEADS)
            self.write(transaction, found.position if found else 0)
            close_over(transaction)
            end = self.position or 0  # once others may write, a reading thread may be beyond it
        with self._lock:
            self._let_go(end)

    def _let_go(self, checkpoint: int) -> None:
        """What the tables have up to a checkpoint is there to be read."""
        self._moves += checkpoint != self._checkpoint
        self._checkpoint = checkpoint
        self._keys = {k: position for k, position in self._keys.items() if position > checkpoint}
        self._snapshots = {
            conversation: left
            for conversation, due in self._snapshots.items()
            if (left := [each for each in due if each[0] > checkpoint])
        }
        for name in [n for n, rows in self._pending.items() if rows[0].position <= checkpoint]:
            self._live.pop(name, None)  # it has not seen these rows, and the table has
            if newer := [row for row in self._pending.pop(name) if row.position > checkpoint]:
                self._pending[name] = newer
        self._trim()

    def write(self, transaction: Transaction, checkpoint: int) -> None:
        """Put what is known beyond the tables' checkpoint into them."""
        with self._lock:
            self._checkpoint = checkpoint
        heads = sorted(self._settled(transaction).values(), key=lambda head: head.conversation)
        if not heads:
            return
        transaction.put_heads([head.stored() for head in heads])
        transaction.put_keys([Key(*known) for known in self._keys.items()])
        for head in heads:
            due = self._snapshots.get(head.conversation, ())
            if head.state.deleted:
                transaction.drop_snapshots(head.stream)
            else:
                transaction.put_snapshots([snapshot for p, snapshot in due if p > checkpoint])
        newest = max(heads, key=lambda head: head.position)
        transaction.put_checkpoint(Checkpoint(HEADS, newest.position, newest.digest))

    def _settled(self, reader: Reader) -> dict[str, LiveHead]:
        """The tail, without a conversation whose rows cannot be read."""
        try:
            return self._tail(reader)
        except Corrupt:
            for conversation in [*self._pending]:
                try:
                    self.known(reader, [conversation])
                except Corrupt as error:
                    logger.error("its head stays behind: %s", error)
                    self._pending.pop(conversation, None)
            return self._tail(reader)

    def forget(self) -> None:
        """What is in the tables now; they are read again."""
        with self._lock:
            for held in (self._live, self._pending, self._keys, self._snapshots):
                held.clear()
            self._moves += 1

    def take(self, rows: Sequence[Row]) -> None:
        """Rows that come next, read elsewhere."""
        self._note(rows)

    def _trim(self) -> None:
        """Let go of the oldest heads that the table has."""
        names = [n for n, head in self._live.items() if head.position <= self._checkpoint]
        for name in names[: max(0, len(self._live) - KEPT_HEADS)]:
            del self._live[name]


def _check_end(reader: Reader, checkpoint: int) -> None:
    """Raise Corrupt where the rows end before what the tables have seen of them."""
    try:
        check_past(reader, reader.tail(checkpoint - 1, 1), checkpoint)
    except (OutOfRange, AnotherPast) as error:
        raise Corrupt(
            f"the heads have seen position {checkpoint}, whose row is gone: `turnlog verify` says"
            " more, `turnlog rebuild --force` goes on without it"
        ) from error


def _stored(reader: Reader) -> Iterator[Head]:
    after = ""
    while heads := reader.heads(after):
        yield from heads
        after = heads[-1].conversation


def rebuild_heads(recorder: Recorder, batch: int = BATCH_COMMITS) -> int:
    """Make heads, keys and snapshots again from the rows; how many rows there were."""
    done = 0
    heads = Heads(recorder)
    with recorder.transaction() as transaction:
        transaction.clear(HEADS)
        for rows in batches(transaction, size=batch):
            heads.take(rows)
            heads.write(transaction, done)
            heads.forget()
            done += len(rows)
        close_over(transaction)
    return done
