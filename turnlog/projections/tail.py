"""What a process knows beyond the tables of heads, keys and snapshots."""

from __future__ import annotations

import logging
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from turnlog.errors import Corrupt
from turnlog.projections.following import Following
from turnlog.projections.live_head import LiveHead
from turnlog.storage import forks
from turnlog.storage.rows import Row, Snapshot

BEHIND_ROWS = 1_000
"""The number of rows after which a writer brings the tables up to the end of the log."""

KEPT_HEADS = 1_000
"""The number of heads of conversations outside the tail that stay in memory."""

logger = logging.getLogger(__name__)


class Seen(NamedTuple):
    """The newest known row: as read, or by its digest."""

    position: int
    known: Row | bytes | None

    def is_at(self, row: Row) -> bool:
        """Whether it is that row. The digest does not change when content is dropped."""
        if row.position != self.position or self.known is None:
            return row.position == self.position
        if row == self.known:
            return True
        known = self.known.digest() if isinstance(self.known, Row) else self.known
        return row.digest() == known


class Tail(forks.Forked):
    """Rows that no head has seen yet, heads, and the keys and snapshots that the tables lack.

    Safe for concurrent use. position: up to which all rows are known; None before the first look.
    This process's own rows may follow rows of others that it has not read yet. seen: the row at
    that position. checkpoint: the position of the tables. moves: how often that changed; each
    change may drop heads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.pending: dict[str, list[Row]] = {}
        self._heads: OrderedDict[str, LiveHead] = OrderedDict()
        self._snapshots: dict[int, list[tuple[int, Snapshot]]] = {}
        self.keys: dict[bytes, int] = {}
        self.position: int | None = None
        self.seen: Seen | None = None
        self.checkpoint = 0
        self.moves = 0
        self._end = 0
        forks.tell(self)

    def after_fork(self) -> None:
        """Replaces the lock, which the parent process may have held."""
        self._lock = threading.Lock()

    @property
    def is_due(self) -> bool:
        """Whether the tables lack so many rows that a writer brings them up."""
        return self._behind() >= BEHIND_ROWS

    @property
    def is_long(self) -> bool:
        """Whether the tables seem to lack far more: another process may have brought them up."""
        return self._behind() > 4 * BEHIND_ROWS

    def _behind(self) -> int:
        return max(self.position or 0, self._end) - self.checkpoint

    def note(self, rows: Sequence[Row]) -> None:
        """Adds further rows of the log, in order."""
        with self._lock:
            for row in rows:
                if row.position > (self.position or 0):
                    self.position = row.position
                    if row.name is None:  # without its id it cannot be looked up
                        continue
                    try:
                        self.pending.setdefault(row.conversation, []).append(row)
                    except Corrupt as error:  # its name cannot be read, so it cannot be looked up
                        logger.error("position %d: %s", row.position, error)
            if rows[-1].position == self.position:
                self.seen = Seen(rows[-1].position, rows[-1])

    # --- heads ----------------------------------------------------------------------------------

    def head(self, conversation: str) -> LiveHead | None:
        """A conversation's head in memory, or None. Pending rows may follow it."""
        return self._heads.get(conversation)

    def settled(self, conversation: str) -> LiveHead | None:
        """The head, if no pending row follows it."""
        # in this order: a thread that takes rows out of the tail puts their head in first
        return None if conversation in self.pending else self._heads.get(conversation)

    def taken(
        self, conversations: Iterable[str]
    ) -> tuple[int, dict[str, tuple[LiveHead | None, list[Row]]]]:
        """The moves so far, and each conversation's head and pending rows."""
        with self._lock:
            return self.moves, {
                name: (self._heads.get(name), [*self.pending.get(name, ())])
                for name in conversations
            }

    def keep(
        self, conversation: str, following: Following, keys: Mapping[bytes, int], moves: int
    ) -> bool:
        """Keeps a head, and says whether it did: not if the checkpoint moved since it was read.

        Another thread may have kept a newer head meanwhile and moved it to the table.
        """
        with self._lock:
            if moves != self.moves:
                return False
            if self._put_newer(conversation, following):
                for lookup, position in keys.items():  # the rows may repeat a message
                    self.keys.setdefault(lookup, position)
            self._settle(conversation)
            self._trim_if_many()
            return True

    def written(
        self,
        after: int,
        position: int,
        following: Mapping[str, Following],
        keys: Mapping[bytes, int],
    ) -> None:
        """Notes what a writer has committed, from which position to which."""
        with self._lock:
            for conversation, each in following.items():
                self._put_newer(conversation, each)
                self._settle(conversation)
            self.keys.update(keys)
            self._end = max(position, self._end)
            if after <= (self.position or 0) < position:  # otherwise others wrote in between
                self.position = position
                self.seen = Seen(position, _digest_at(position, following.values()))
            self._trim_if_many()

    def _put_newer(self, conversation: str, following: Following) -> bool:
        """Keeps a head, and says whether it did: not if another thread has read further
        meanwhile.
        """
        head, live = following.head, self._heads.get(conversation)
        assert head is not None
        if live is not None and live.position >= head.position:
            return False
        self._heads[conversation] = head
        self._heads.move_to_end(conversation)
        for position, snapshot in following.snapshots:
            self._snapshots.setdefault(snapshot.stream, []).append((position, snapshot))
        return True

    def _settle(self, conversation: str) -> None:
        """Drops pending rows that the head has seen."""
        if (rows := self.pending.pop(conversation, None)) is not None:
            seen = self._heads[conversation].position
            if left := [row for row in rows if row.position > seen]:
                self.pending[conversation] = left

    def snapshot(self, stream: int, event: int | None, turn: int | None) -> Snapshot | None:
        """A stream's newest snapshot up to an event or a turn, of those not yet in the tables."""
        with self._lock:
            due = self._snapshots.get(stream, [])
            last = len(due) if event is None else bisect_right(due, event, key=_event)
            last = last if turn is None else bisect_right(due, turn, hi=last, key=_turn)
            return due[last - 1][1] if last else None

    def snapshots(self, stream: int, after: int = 0) -> list[Snapshot]:
        """A stream's snapshots above a position, oldest first, of those not yet in the tables."""
        with self._lock:
            due = self._snapshots.get(stream, ())
            return [snapshot for position, snapshot in due if position > after]

    def heads_beyond(self) -> dict[str, LiveHead]:
        """Heads that the table may lack."""
        with self._lock:
            return {n: head for n, head in self._heads.items() if head.position > self.checkpoint}

    # --- letting go -----------------------------------------------------------------------------

    def follow_tables(self, newest: Row | None) -> None:
        """Continues from the tables if they are further than what is known.

        newest: the row at their checkpoint, as it is now.
        """
        checkpoint = newest.position if newest else 0
        with self._lock:
            if self.position is None or self.position < checkpoint:
                self._heads.clear()
                self.pending.clear()
                self.moves += 1
                self.position = checkpoint
                self.seen = Seen(checkpoint, newest) if newest else None
            self._let_go(checkpoint)

    def let_go(self, checkpoint: int) -> None:
        """Drops what the tables contain up to a checkpoint."""
        with self._lock:
            self._let_go(checkpoint)

    def _let_go(self, checkpoint: int) -> None:
        self.moves += checkpoint != self.checkpoint
        self.checkpoint = checkpoint
        self.keys = {k: position for k, position in self.keys.items() if position > checkpoint}
        self._snapshots = {
            stream: left
            for stream, due in self._snapshots.items()
            if (left := [each for each in due if each[0] > checkpoint])
        }
        for name in [n for n, rows in self.pending.items() if rows[0].position <= checkpoint]:
            self._heads.pop(name, None)  # it has not seen these rows, but the table has
            if newer := [row for row in self.pending.pop(name) if row.position > checkpoint]:
                self.pending[name] = newer
        self._trim()

    def release(self, conversation: str) -> None:
        """Forgets the head of a conversation if the table has it."""
        with self._lock:
            head = self._heads.get(conversation)
            if head is not None and head.position <= self.checkpoint:
                del self._heads[conversation]

    def begin_again(self) -> None:
        """Returns to the state before the first look."""
        with self._lock:
            for held in (self._heads, self.pending, self.keys, self._snapshots):
                held.clear()
            self.position, self.seen = None, None
            self.moves += 1

    def forget(self) -> None:
        """Drops everything but the position; the tables contain it and are read again."""
        with self._lock:
            for held in (self._heads, self.pending, self.keys, self._snapshots):
                held.clear()
            self.moves += 1

    def _trim_if_many(self) -> None:
        if len(self._heads) > KEPT_HEADS + BEHIND_ROWS:
            self._trim()

    def _trim(self) -> None:
        """Drops the oldest heads that the table contains."""
        names = [n for n, head in self._heads.items() if head.position <= self.checkpoint]
        for name in names[: max(0, len(self._heads) - KEPT_HEADS)]:
            del self._heads[name]


def _event(due: tuple[int, Snapshot]) -> int:
    return due[1].event


def _turn(due: tuple[int, Snapshot]) -> int:
    return due[1].turn


def _digest_at(position: int, following: Iterable[Following]) -> bytes | None:
    """The digest of the row that a writer appended at a position."""
    heads = (each.head for each in following)
    return next((head.digest for head in heads if head and head.position == position), None)
