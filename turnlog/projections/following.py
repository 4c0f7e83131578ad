"""What follows from further rows of a conversation: its head, snapshots and keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from turnlog.domain.commit import RepeatKey
from turnlog.domain.events import Event
from turnlog.domain.fold import Fold
from turnlog.domain.history import History, past
from turnlog.domain.state import State
from turnlog.encoding.apart import BARE
from turnlog.encoding.rows import decode_skeleton, is_commit
from turnlog.errors import Corrupt
from turnlog.projections.live_head import LiveHead
from turnlog.storage.rows import Row, Snapshot


class Following(msgspec.Struct):
    """What follows from rows of one conversation: its head, snapshots by position, keys.

    forks: the streams that begin as forks, each after its origin, and the position of the row.
    """

    head: LiveHead | None
    snapshots: list[tuple[int, Snapshot]] = []
    keys: dict[RepeatKey, int] = {}
    forks: dict[tuple[int, int], int] = {}

    def take(self, rows: Sequence[Row], history: History) -> None:
        """Applies further rows of one stream, skipping those that the head has seen.

        history: the conversation's past before these rows.
        """
        head = self.head if self.head and self.head.stream == rows[0].stream else None
        new = [row for row in rows if head is None or row.version > head.version]
        state = head.state.copy() if head else _beginning(new, history)
        began = state.event
        folded = Fold(lambda: _events(new), state, past(history, state))
        for row in new:
            _check(head, row)
            commit = row.commit(BARE) if is_commit(row.topic) else None
            for key in commit.repeat_keys() if commit else ():
                self.keys.setdefault(key, row.position)
            events = commit.events if commit else ()
            state = folded.take(events).copy()
            if head is None and began:
                self.forks[state.lineage.origin or 0, row.stream] = row.position
            head = self._follow(row, state, head.snapshot if head else began, events)

    def _follow(self, row: Row, state: State, before: int, events: Sequence[Event]) -> LiveHead:
        """The head after a row. before: number of the event after which the last snapshot was
        taken.
        """
        snapshot = 0 if state.deleted else before
        head = LiveHead(
            row.conversation, row.stream, row.owner, row.life, row.version, row.position,
            row.digest(), snapshot, state,
        )  # fmt: skip
        return self.put(head, snapshot, events)

    def move(self, by: int) -> None:
        """Raises all positions by a number."""
        assert self.head is not None
        self.head = msgspec.structs.replace(self.head, position=self.head.position + by)
        self.snapshots = [(position + by, snapshot) for position, snapshot in self.snapshots]

    def put(self, head: LiveHead, before: int, events: Sequence[Event]) -> LiveHead:
        """Sets the head after one more commit with these events, and takes the snapshot that is
        due.
        """
        if (snapshot := head.due(before, events)) is not None:
            self.snapshots.append((head.position, snapshot))
            head = msgspec.structs.replace(head, snapshot=snapshot.event)
        self.head = head
        return head


def _check(head: LiveHead | None, row: Row) -> None:
    """Raises Corrupt if a row does not continue from the head."""
    if (
        row.version > 1
        if head is None
        else (row.version - 1, row.previous) != (head.version, head.digest)
    ):
        where = f"conversation {row.conversation!r}, version {row.version}"
        raise Corrupt(f"{where} does not follow from the row before it")


def _beginning(rows: Sequence[Row], history: History) -> State:
    """The state from which a stream begins: in a fork, that of its origin."""
    if not rows or not is_commit(rows[0].topic):
        return State()
    first = decode_skeleton(rows[0].skeleton).first_event
    return history.state(first - 1) if first > 1 else State()


def _events(rows: Iterable[Row]) -> Iterator[Event]:
    for row in rows:
        if is_commit(row.topic):
            yield from row.commit(BARE).events
