"""The heads of all conversations: a table, and the rows after it folded in memory.

Heads, keys and snapshots follow the rows, with one checkpoint for the three. Readers fold the tail
in memory; writers bring the tables up to the end of the log now and then.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby

from turnlog.domain.events import ContentErased, KeyStoreUsed
from turnlog.encoding.binary import encode
from turnlog.encoding.rows import TAGS, holds, is_commit
from turnlog.errors import (
    AnotherPast,
    Corrupt,
    OutOfRange,
    Restricted,
    Unavailable,
    UnknownConversation,
)
from turnlog.projections import derived_tables
from turnlog.projections.following import Following
from turnlog.projections.history import StoredHistory
from turnlog.projections.known_rows import KnownRows
from turnlog.projections.live_head import LiveHead
from turnlog.projections.stream_rows import StreamRows
from turnlog.storage.checkpoints import close_over
from turnlog.storage.lookups import fork_lookup, repeat_lookup
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import HEADS, Head, Row
from turnlog.storage.subscription import BATCH_COMMITS, check_past

logger = logging.getLogger(__name__)

_SEALED = (TAGS[KeyStoreUsed],)

_HEADS_AT_ONCE = 100

END = 2**62
"""Greater than every position."""


class Heads(KnownRows):
    """The heads of a log for one process; safe for concurrent use."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self._erased = 0
        self._generation = recorder.generation

    @property
    def position(self) -> int | None:
        """The position up to which all rows are known; None before the first look."""
        return self.tail.position

    @property
    def outdated(self) -> bool:
        """Whether keys were destroyed since the last look, so that heads may have disappeared."""
        return self._generation != self.recorder.generation

    # --- reading --------------------------------------------------------------------------------

    def refresh(self, reader: Reader) -> None:
        """Reads what any process recorded since the last look."""
        if self.outdated:
            self._generation = self.recorder.generation
            self.begin_again()
        was_empty = self.position == 0
        if self.position is None:
            self._check_clear(reader.tail(0, 1))
        if self.position is None or self.tail.is_long:
            self._follow_tables(reader)
        while rows := self._further(reader):
            if was_empty and rows[0].position == 1:
                self._check_beginning(rows[0])
                self._check_clear(rows[:1])
            if (erased := newest_erasure(rows, self._erased)) is not None:
                self._erased = erased
                self.begin_again()
                self._follow_tables(reader)
            else:
                self.tail.note(rows)

    def _check_clear(self, first: Sequence[Row]) -> None:
        """Raises Unavailable if a log that was empty when it was opened has been sealed since."""
        ours = (row for row in first if is_commit(row.topic))
        is_sealed = any(holds(row.topic, row.skeleton, _SEALED) for row in ours)
        if is_sealed and self.recorder.keys is None:
            what = "was sealed after it was opened: open it again with its keys"
            raise Unavailable(f"{self.recorder.url}: the log {what}")

    def _further(self, reader: Reader) -> Sequence[Row]:
        """The next rows after the last one seen. Raises AnotherPast if that one is missing."""
        if (seen := self.tail.seen) is None:
            return reader.tail(self.position or 0, BATCH_COMMITS)
        rows = reader.tail(seen.position - 1, BATCH_COMMITS + 1)
        if not (rows and seen.is_at(rows[0])):
            raise AnotherPast(seen.position)
        return rows[1:]

    def _check_beginning(self, row: Row) -> None:
        """Raises Unavailable if a restore has filled a log that was empty when it was opened."""
        if row.previous != self.recorder.genesis.digest:
            what = "was empty when it was opened, and was filled by a restore: open it again"
            raise Unavailable(f"{self.recorder.url}: the log {what}")

    def _follow_tables(self, reader: Reader) -> None:
        """Continues from the tables' checkpoint, so that less must stay in memory."""
        found = reader.checkpoint(HEADS)
        self.tail.follow_tables(_row_at(reader, found.position) if found else None)

    def head(self, reader: Reader, conversation: str) -> LiveHead | None:
        """A conversation's current head; None if it does not exist."""
        self.refresh(reader)
        return self.known(reader, [conversation]).get(conversation)

    def check_living(self, reader: Reader, conversation: str, stream: int) -> None:
        """Raises UnknownConversation unless the stream is the conversation's and not deleted."""
        head = self.head(reader, conversation)
        if head is None or head.stream != stream or head.state.deleted:
            raise UnknownConversation(conversation)
        if head.state.restricted:
            raise Restricted(conversation)

    def kept(self, conversations: Iterable[str]) -> dict[str, LiveHead | None]:
        """The heads in memory, without a look at the log. An object is the same until its head
        changes.
        """
        return {conversation: self.tail.head(conversation) for conversation in conversations}

    def known(self, reader: Reader, conversations: Iterable[str]) -> dict[str, LiveHead]:
        """The heads as of the last look; unknown conversations are omitted."""
        found: dict[str, LiveHead] = {}
        missing: list[str] = []
        for conversation in conversations:
            if (head := self.tail.settled(conversation)) is None:
                missing.append(conversation)
            else:
                found[conversation] = head
        return self._folded(reader, missing, found) if missing else found

    def _folded(
        self, reader: Reader, conversations: Sequence[str], found: dict[str, LiveHead]
    ) -> dict[str, LiveHead]:
        """Adds heads that must be read or folded first."""
        moves, taken = self.tail.taken(conversations)
        absent = [name for name, (head, _) in taken.items() if head is None]
        stored = {h.conversation: h for h in reader.heads_of(absent)} if absent else {}
        again: list[str] = []
        for name, (live, rows) in taken.items():
            base = live or (LiveHead.of(stored[name]) if name in stored else None)
            following = self._following(reader, base, rows)
            if following.head is not None:
                found[name] = following.head
                if not self.tail.keep(name, following, self._lookups(name, following), moves):
                    again.append(name)
        return self._folded(reader, again, found) if again else found

    def _following(self, reader: Reader, base: LiveHead | None, rows: Iterable[Row]) -> Following:
        """What follows from the rows of a conversation that its head has not seen."""
        following = Following(base, [], {})
        seen = (
            base.position if base else 0
        )  # of any life: another process may have caught up further
        new = (row for row in rows if row.position > seen)
        for _, same in groupby(new, key=lambda row: row.stream):
            of_life = [*same]
            past = StoredHistory(StreamRows.of(reader, self, of_life[0]))
            following.take(of_life, past)
        return following

    def _lookups(self, conversation: str, following: Following) -> dict[bytes, int]:
        secret = self.recorder.genesis.secret
        keys = {
            repeat_lookup(secret, conversation, key): position
            for key, position in following.keys.items()
        }
        forks = {fork_lookup(secret, *fork): position for fork, position in following.forks.items()}
        return keys | forks

    def key(self, lookup: bytes) -> int | None:
        """The position of the row that a lookup identifies, if the row is in the tail."""
        return self.tail.keys.get(lookup)

    def every(self, reader: Reader) -> Iterator[LiveHead]:
        """All heads, in order of id."""
        self.refresh(reader)
        order = self.recorder.order
        tail = sorted((order(name), head) for name, head in self._beyond(reader).items())
        table = ((order(head.conversation), LiveHead.of(head)) for head in _stored(reader))
        both = merge(table, tail, key=lambda each: each[0])
        for _, same in groupby(both, key=lambda each: each[0]):
            yield max((head for _, head in same), key=lambda head: head.position)

    def newest_first(self, reader: Reader, before: int | None = None) -> Iterator[LiveHead]:
        """All heads, newest row first; only those below position `before`.

        A conversation that continues meanwhile moves above all others and may be missed.
        """
        self.refresh(reader)
        beyond, limit = self._beyond(reader), END if before is None else before
        tail = sorted(beyond.values(), key=_newest)
        table = _stored_newest_first(reader, limit)
        behind = (LiveHead.of(head) for head in table if head.conversation not in beyond)
        yield from merge((head for head in tail if head.position < limit), behind, key=_newest)

    def _beyond(self, reader: Reader) -> dict[str, LiveHead]:
        """Heads that the table may lack."""
        self.known(reader, [*self.tail.pending])
        return self.tail.heads_beyond()

    # --- writing --------------------------------------------------------------------------------

    def overdue(self) -> bool:
        """Whether a writer must bring the tables up because no other process has done so."""
        if self.tail.is_due:
            found = self.recorder.reader.checkpoint(HEADS)
            self.tail.let_go(found.position if found else 0)
        return self.tail.is_due

    def catch_up(self) -> None:
        """Brings heads, keys and snapshots up to the end of the log."""
        with self.recorder.transaction() as transaction:
            self.catch_up_in(transaction)
            close_over(transaction)
            end = (
                self.position or 0
            )  # afterwards others can write, and a reading thread can be further
        self.tail.let_go(end)

    def catch_up_in(self, transaction: Transaction) -> None:
        """Like `catch_up`, within an open transaction."""
        self.refresh(transaction)
        found = transaction.checkpoint(HEADS)
        self.write(transaction, found.position if found else 0)

    def write(self, transaction: Transaction, checkpoint: int) -> None:
        """Writes what is known beyond the tables' checkpoint into them."""
        self.tail.checkpoint = checkpoint
        derived_tables.write(transaction, self._settled(transaction), self.tail)

    def _settled(self, reader: Reader) -> Iterable[LiveHead]:
        """The heads of the tail, without conversations whose rows cannot be read."""
        try:
            return self._beyond(reader).values()
        except Corrupt:
            for conversation in [*self.tail.pending]:
                self._set_aside_unreadable(reader, conversation)
            return self._beyond(reader).values()

    def _set_aside_unreadable(self, reader: Reader, conversation: str) -> None:
        try:
            self.known(reader, [conversation])
        except Corrupt as error:
            logger.error("a head cannot follow its rows: %s", error)
            self.tail.pending.pop(conversation, None)


def newest_erasure(rows: Iterable[Row], after: int = 0) -> int | None:
    """Position of the newest of some rows that records an erasure; only rows above `after`."""
    found = [row.position for row in rows if row.position > after and _erases(row)]
    return found[-1] if found else None


def _erases(row: Row) -> bool:
    try:
        return _ERASED in row.skeleton and holds(row.topic, row.skeleton, _ERASING)
    except (Corrupt, TypeError):  # the reader of the row reports it
        return False


_ERASING = frozenset([TAGS[ContentErased]])
_ERASED = encode(TAGS[ContentErased])


def _row_at(reader: Reader, checkpoint: int) -> Row:
    """The newest row that the tables have seen. Raises Corrupt if the rows end before it."""
    rows = reader.tail(checkpoint - 1, 1)
    try:
        check_past(reader, rows, checkpoint)
        return rows[0]
    except (OutOfRange, AnotherPast) as error:
        raise Corrupt(
            f"the row at position {checkpoint}, which the heads include, is missing:"
            " `turnlog verify` says more, `turnlog rebuild --force` continues without it"
        ) from error


def _newest(head: LiveHead) -> int:
    return -head.position


def _stored_newest_first(reader: Reader, before: int) -> Iterator[Head]:
    while heads := reader.heads_newest_first(before, _HEADS_AT_ONCE):
        yield from heads
        before = heads[-1].position


def _stored(reader: Reader) -> Iterator[Head]:
    after = ""
    while heads := reader.heads(after, _HEADS_AT_ONCE):
        yield from heads
        after = heads[-1].conversation
