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
"""Rows after which a writer brings the tables up to the end of the log."""

KEPT_HEADS = 1_000
"""Heads of conversations outside the tail that are kept in memory."""

logger = logging.getLogger(__name__)


class Seen(NamedTuple):
    """The newest row that is known: as it was read, or by its digest."""

    position: int
    known: Row | bytes | None

    def is_at(self, row: Row) -> bool:
        """Whether a row is that one; what was dropped of it meanwhile is under no digest."""
        if row.position != self.position or self.known is None:
            return row.position == self.position
        if row == self.known:
            return True
        known = self.known.digest() if isinstance(self.known, Row) else self.known
        return row.digest() == known


class Tail(forks.Forked):
    """Rows that no head has seen yet, heads, and the keys and snapshots that the tables lack.

    Safe to use from several threads. position: up to which all rows are known; None before the
    first look. Rows of ours may lie beyond those of others that were not looked at yet. seen: the
    row at that position. checkpoint: up to where the tables have come; moves: how often that
    changed, with each of which heads may be let go of.
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
        self._lock = threading.Lock()

    @property
    def is_due(self) -> bool:
        """Whether the tables lack so many rows that a writer brings them up."""
        return self._behind() >= BEHIND_ROWS

    @property
    def is_long(self) -> bool:
        """Whether they seem to lack many more: another process may have brought them up."""
        return self._behind() > 4 * BEHIND_ROWS

    def _behind(self) -> int:
        return max(self.position or 0, self._end) - self.checkpoint

    def note(self, rows: Sequence[Row]) -> None:
        """Further rows of the log, in order."""
        with self._lock:
            for row in rows:
                if row.position > (self.position or 0):
                    self.position = row.position
                    if row.name is None:  # its id was dropped: nobody asks for it by its name
                        continue
                    try:
                        self.pending.setdefault(row.conversation, []).append(row)
                    except Corrupt as error:  # nobody can ask for it by its name
                        logger.error("position %d: %s", row.position, error)
            if rows[-1].position == self.position:
                self.seen = Seen(rows[-1].position, rows[-1])

    # --- heads ----------------------------------------------------------------------------------

    def head(self, conversation: str) -> LiveHead | None:
        return self._heads.get(conversation)

    def settled(self, conversation: str) -> LiveHead | None:
        """The head, if no row waits that it has not seen."""
        # in this order: whoever takes a row out of the tail has put the head in before
        return None if conversation in self.pending else self._heads.get(conversation)

    def taken(
        self, conversations: Iterable[str]
    ) -> tuple[int, dict[str, tuple[LiveHead | None, list[Row]]]]:
        """The moves so far, and of each conversation its head and the rows that wait."""
        with self._lock:
            return self.moves, {
                name: (self._heads.get(name), [*self.pending.get(name, ())])
                for name in conversations
            }

    def keep(
        self, conversation: str, following: Following, keys: Mapping[bytes, int], moves: int
    ) -> bool:
        """Whether it is kept: not where the checkpoint moved since it was read.

        A newer head may have come meanwhile, and gone into the table.
        """
        with self._lock:
            if moves != self.moves:
                return False
            if self._put_newer(conversation, following):
                for lookup, position in keys.items():  # a message may come again in the rows
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
        """What a writer has committed behind a position, and up to which."""
        with self._lock:
            for conversation, each in following.items():
                self._put_newer(conversation, each)
                self._settle(conversation)
            self.keys.update(keys)
            self._end = max(position, self._end)
            if after <= (self.position or 0) < position:  # else others wrote in between
                self.position = position
                self.seen = Seen(position, _digest_at(position, following.values()))
            self._trim_if_many()

    def _put_newer(self, conversation: str, following: Following) -> bool:
        """Whether it was put: not where a thread has read beyond it meanwhile."""
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
        """Let go of rows that the head has seen."""
        if (rows := self.pending.pop(conversation, None)) is not None:
            seen = self._heads[conversation].position
            if left := [row for row in rows if row.position > seen]:
                self.pending[conversation] = left

    def snapshot(self, stream: int, event: int | None, turn: int | None) -> Snapshot | None:
        """The newest of them up to an event, or to a turn."""
        with self._lock:
            due = self._snapshots.get(stream, [])
            last = len(due) if event is None else bisect_right(due, event, key=_event)
            last = last if turn is None else bisect_right(due, turn, hi=last, key=_turn)
            return due[last - 1][1] if last else None

    def snapshots(self, stream: int, after: int = 0) -> list[Snapshot]:
        """Those of a stream that the tables may lack, oldest first, of rows above a position."""
        with self._lock:
            due = self._snapshots.get(stream, ())
            return [snapshot for position, snapshot in due if position > after]

    def heads_beyond(self) -> dict[str, LiveHead]:
        """Heads that the table may not have yet."""
        with self._lock:
            return {n: head for n, head in self._heads.items() if head.position > self.checkpoint}

    # --- letting go -----------------------------------------------------------------------------

    def follow_tables(self, newest: Row | None) -> None:
        """Begin at the tables where they have come further than what is known.

        newest: the row at their checkpoint, whatever became of it before it was read here.
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
        """What the tables have up to a checkpoint is there to be read."""
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
            self._heads.pop(name, None)  # it has not seen these rows, and the table has
            if newer := [row for row in self.pending.pop(name) if row.position > checkpoint]:
                self.pending[name] = newer
        self._trim()

    def begin_again(self) -> None:
        """As before the first look."""
        with self._lock:
            for held in (self._heads, self.pending, self.keys, self._snapshots):
                held.clear()
            self.position, self.seen = None, None
            self.moves += 1

    def forget(self) -> None:
        """What is in the tables now; they are read again."""
        with self._lock:
            for held in (self._heads, self.pending, self.keys, self._snapshots):
                held.clear()
            self.moves += 1

    def _trim_if_many(self) -> None:
        if len(self._heads) > KEPT_HEADS + BEHIND_ROWS:
            self._trim()

    def _trim(self) -> None:
        """Let go of the oldest heads that the table has."""
        names = [n for n, head in self._heads.items() if head.position <= self.checkpoint]
        for name in names[: max(0, len(self._heads) - KEPT_HEADS)]:
            del self._heads[name]


def _event(due: tuple[int, Snapshot]) -> int:
    return due[1].event


def _turn(due: tuple[int, Snapshot]) -> int:
    return due[1].turn


def _digest_at(position: int, following: Iterable[Following]) -> bytes | None:
    """Of the row that a writer put at a position."""
    heads = (each.head for each in following)
    return next((head.digest for head in heads if head and head.position == position), None)
