"""What a batch appends to the log: rows, and the data written with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from turnlog.domain.commit import Commit
from turnlog.domain.events import Event
from turnlog.domain.state import State
from turnlog.domain.subjects import about
from turnlog.encoding.rows import SALT_BYTES, columns, digest
from turnlog.engine.forking import hide
from turnlog.engine.placing import Placed, Placing
from turnlog.engine.request import CommitPart
from turnlog.projections.following import Following
from turnlog.projections.heads import Heads
from turnlog.projections.history import StoredHistory
from turnlog.projections.live_head import LiveHead
from turnlog.projections.stream_rows import StreamRows
from turnlog.storage.lookups import fork_lookup
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Transaction
from turnlog.storage.rows import Key, Random, Row, Stream, WrittenRow


class Appending:
    """Changes nothing outside before it is durable.

    transaction: for reading and writing; None if the log itself refuses the rows when an assumption
    was wrong. after, position: the position before its first row, and that of its last. written:
    the new heads by conversation. lookups: the keys and their positions. takes_out: whether one of
    its events hides earlier words.
    """

    def __init__(self, heads: Heads, transaction: Transaction | None, random: Random) -> None:
        recorder = heads.recorder
        self._heads = heads
        self._encoding = recorder.encoding
        self._reader: Reader = recorder.reader if transaction is None else transaction
        self._transaction = transaction
        self._genesis = recorder.genesis
        self._random = random
        self._placing = Placing(recorder.genesis, transaction)
        self._placed: list[Placed] = []
        self.after = self.position = heads.position or 0
        self.written: dict[str, Following] = {}
        self.lookups: dict[bytes, int] = {}
        self.digests: dict[int, bytes] = {}
        self.rows: list[Row] = []
        self.streams: list[Stream] = []
        self.keys: list[Key] = []
        self.takes_out = False
        self.encoded: Mapping[int, bytes] = {}
        """The already encoded ones of the next events, by `id`."""

    @property
    def reader(self) -> Reader:
        """The log including these rows."""
        if self._transaction is None and self.rows:
            raise LookupError("rows that are not stored yet are needed")
        self.write()
        return self._reader

    def history(self, head: LiveHead) -> StoredHistory:
        """The past of a conversation, including these rows."""
        return StoredHistory(_Rows(self, self._reader, self._heads, head))

    def head(self, conversation: str) -> LiveHead | None:
        """The state of a conversation after these rows; None if none of them belongs to it."""
        written = self.written.get(conversation)
        return None if written is None else written.head

    def write(self) -> None:
        """Write what is not written yet into the transaction."""
        if self._transaction is not None and self.rows:
            self._transaction.append(self.rows, self.streams, self.keys)
            for placed in self._placed:
                placed.write(self._transaction)
            for placed in self._placed:
                placed.clean(self._transaction)
            self.rows, self.streams, self.keys, self._placed = [], [], [], []

    def move(self, by: int) -> None:
        """Move all of it to positions that are higher by this many."""
        self.after += by
        self.position += by
        self.lookups = {lookup: position + by for lookup, position in self.lookups.items()}
        self.digests = {position + by: digest for position, digest in self.digests.items()}
        for following in self.written.values():
            following.move(by)

    def add(self, before: LiveHead, part: CommitPart, state: State) -> Commit:
        """The commit of a part, as the next row. state: after it."""
        commit = Commit(
            before.conversation, before.version + 1, before.state.event + 1, before.state.turn,
            part.recorded, tuple(part.events), part.key, self.position + 1, before.life,
        )  # fmt: skip
        row = self._row(commit, before, state.user)
        self.rows.append(row)
        self.position = row.position
        self.digests[row.position] = row.known
        if not before.version and before.state.event:
            lookup = fork_lookup(self._genesis.secret, state.lineage.origin or 0, row.stream)
            self.note_key(lookup, row.position)
        self.takes_out = self.takes_out or hide(commit.events)
        self._follow(row, before, state, commit.events)
        return commit

    def _row(self, commit: Commit, before: LiveHead, user: str | None) -> WrittenRow:
        """The row of a commit; the first row also begins its stream."""
        begun = (
            None
            if before.version
            else Stream.of(before.conversation, before.life, self._genesis.digest, self._random)
        )
        stream, owner = (begun or before).stream, (begun or before).owner
        placed: list[Placed] = []
        put = partial(self._placing, commit.conversation, owner, placed, user)
        secret = self._random(SALT_BYTES)
        made = columns(commit, secret, put, self._encoding, self.encoded)
        row = WrittenRow(
            self.position + 1, stream, commit.version, made.topic, before.digest, made.skeleton,
            b"", made.parts, owner, begun and begun.name, before.life,
        )  # fmt: skip
        row.known = digest(
            owner, commit.version, made.topic, before.digest, made.skeleton, made.commitments
        )
        if self._encoding:
            row.made = made.commitments
            row.about = about(commit.conversation, before.state.user, commit.events)
        self._placed += placed
        if begun is not None:
            self.streams.append(begun)
        return row

    def note_key(self, lookup: bytes, position: int) -> None:
        """Note a key for the table of keys."""
        self.lookups[lookup] = position
        self.keys.append(Key(lookup, position))

    def _follow(
        self, row: WrittenRow, before: LiveHead, state: State, events: Sequence[Event]
    ) -> None:
        snapshot = 0 if state.deleted else before.snapshot
        head = LiveHead(
            before.conversation, row.stream, row.owner, row.life, row.version, row.position,
            row.known, snapshot, state,
        )  # fmt: skip
        if (following := self.written.get(head.conversation)) is None:
            following = self.written[head.conversation] = Following(None, [], {})
        following.put(head, snapshot, events)


class _Rows(StreamRows):
    """A past as the transaction sees it; the rows to be appended are written first."""

    is_committed = False

    def __init__(self, appending: Appending, reader: Reader, heads: Heads, head: LiveHead) -> None:
        super().__init__(
            reader, heads, head.conversation, head.stream, head.life, is_fork=head.is_fork
        )
        self._appending = appending

    @property
    def _reader(self) -> Reader:
        return self._appending.reader
