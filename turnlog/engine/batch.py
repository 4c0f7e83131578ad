"""The requests of one transaction, decided and made into rows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from turnlog.domain.apply import fold
from turnlog.domain.commit import Commit
from turnlog.domain.decide import decide
from turnlog.domain.events import Event
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.engine.history import StoredHistory
from turnlog.engine.request import Part, Recorded, Request
from turnlog.errors import InvalidEvent, VersionConflict
from turnlog.storage.recorder import Reader, Transaction
from turnlog.storage.rows import Head, Row

SNAPSHOT_EVERY = 256
"""Events between the snapshots of a conversation."""


class Standing(msgspec.Struct, frozen=True):
    """A head with its state decoded."""

    conversation: str
    version: int
    position: int
    digest: bytes
    snapshot: int
    state: State

    @classmethod
    def of(cls, head: Head) -> Standing:
        state = binary.decode_state(head.state)
        return cls(
            head.conversation, head.version, head.position, head.digest, head.snapshot, state
        )

    def head(self) -> Head:
        state = self.state
        return Head(
            self.conversation,
            self.version,
            self.position,
            self.digest,
            state.event,
            state.turn,
            self.snapshot,
            binary.encode_state(state),
        )


class Batch:
    """The requests of one transaction; nothing outside is touched before it has committed.

    position: the log's last one when it began, and then that of its own last row.
    """

    def __init__(
        self, cache: OrderedDict[str, Standing], transaction: Transaction, position: int | None
    ) -> None:
        self._cache = cache
        self.transaction = transaction
        self._looked = position is None
        self.position = transaction.last_position() if position is None else position
        self.written: dict[str, Standing] = {}
        self.due: dict[str, list[Head]] = {}  # where snapshots are due, oldest first
        self.outcomes: list[Recorded | Exception] = []
        self._deleted: list[str] = []
        self._rows: list[Row] = []
        self._stored: dict[str, Standing] = {}
        self._keys: dict[tuple[str, str], list[Commit]] = {}

    def read_heads(self, requests: Sequence[Request]) -> None:
        """Of all requests at once."""
        names = {r.conversation for r in requests if r.conversation not in self._cache}
        if names:
            heads = self.transaction.heads_of([*names])
            self._stored = {head.conversation: Standing.of(head) for head in heads}

    def read_keys(self, requests: Sequence[Request]) -> None:
        keys = {(r.conversation, key) for r in requests for key in r.keys}
        for row in self.transaction.keyed_rows([*keys]) if keys else ():
            assert row.key is not None
            self._keys[row.conversation, row.key] = [row.commit()]

    def decide(self, requests: Sequence[Request]) -> None:
        for request in requests:
            try:
                self.outcomes.append(self._decided(request))
            except Exception as error:
                if not self._looked:
                    raise
                self.outcomes.append(error)

    def write(self) -> None:
        self.append_rows()
        for conversation in self._deleted:
            self.transaction.drop_snapshots(conversation)
        if self.written:
            self.transaction.put_heads([standing.head() for standing in self.written.values()])

    def append_rows(self) -> None:
        if self._rows:
            self.transaction.append(self._rows)
            self._rows = []

    def _decided(self, request: Request) -> Recorded:
        conversation, key = request.conversation, request.key
        standing = self._standing(conversation)
        if key is not None and (known := self._keys.get((conversation, key))) is not None:
            shown = [] if standing.state.deleted else self._shown(known, standing.state)
            return Recorded(shown, standing.state, new=False)
        if request.expected_version not in (None, standing.version):
            assert request.expected_version is not None
            raise VersionConflict(conversation, request.expected_version, standing.version)
        history = _History(self, conversation)
        asked = binary.checked(conversation, request.command(standing.state, history))
        if not asked:
            if not self._looked:  # no row is written that the tables could refuse
                raise LookupError(f"nothing was asked of {conversation!r} as it was known")
            return Recorded([], standing.state)
        events, state = decide(
            conversation, standing.state, asked, history=history, now=request.now
        )
        if request.split is None and not request.staged:
            commits = [self._commit(standing, Part(events, request.recorded, key), state)]
            if key is not None:
                self._keys[conversation, key] = commits
        else:
            commits = self._cut(request, standing, events)
        return Recorded(commits, state)

    def _shown(self, known: list[Commit], state: State) -> list[Commit]:
        """What was recorded before as it may be shown now."""
        if not state.redacted:
            return known
        redactions = _History(self, known[0].conversation).redactions()
        return [commit.shown(redactions) for commit in known]

    def _standing(self, conversation: str) -> Standing:
        """Where the conversation stands for the next request."""
        return (
            self.written.get(conversation)
            or self._cache.get(conversation)
            or self._stored.get(conversation)
            or Standing(conversation, 0, 0, b"", 0, State())
        )

    def _cut(self, request: Request, standing: Standing, events: Sequence[Event]) -> list[Commit]:
        """The commits that a request's events are cut into."""
        commits: list[Commit] = []
        self._note_keys(request, commits)
        for part in request.parts(events):
            after = fold(standing.state.copy(), part.events)
            commits.append(self._commit(standing, part, after))
            standing = self.written[request.conversation]
        return commits

    def _note_keys(self, request: Request, commits: list[Commit]) -> None:
        """Raise InvalidEvent for one that is known: what it belongs to is in the log already."""
        conversation, keys = request.conversation, request.keys
        for key in keys:
            if (conversation, key) in self._keys or keys.count(key) > 1:
                raise InvalidEvent(conversation, "key", f"{key!r:.80} was recorded already")
        self._keys.update(((conversation, key), commits) for key in keys)

    def _commit(self, before: Standing, part: Part, state: State) -> Commit:
        conversation = before.conversation
        events, recorded, key = part
        commit = Commit(
            conversation,
            before.version + 1,
            before.state.event + 1,
            before.state.turn,
            recorded,
            tuple(events),
            key,
            self.position + 1,
        )
        self.position += 1
        row = Row(
            self.position,
            conversation,
            commit.version,
            binary.TOPIC,
            commit.key,
            before.digest,
            binary.encode_commit(commit),
        )
        self._rows.append(row)
        snapshot = 0 if state.deleted else before.snapshot
        standing = Standing(
            conversation, commit.version, self.position, row.digest(), snapshot, state
        )
        self.written[conversation] = standing
        if state.deleted:
            self._deleted.append(conversation)
            self.due.pop(conversation, None)
        elif state.event - snapshot >= SNAPSHOT_EVERY:
            self._note_snapshot(standing)
        return commit

    def _note_snapshot(self, standing: Standing) -> None:
        due = self.due.setdefault(standing.conversation, [])
        if not due or standing.state.event - due[-1].event >= SNAPSHOT_EVERY:
            due.append(standing.head())


class _History(StoredHistory):
    """The past as the transaction sees it, with the batch's own rows written first."""

    def __init__(self, batch: Batch, conversation: str) -> None:
        super().__init__(batch.transaction, conversation)
        self._batch = batch

    @property
    def _reader(self) -> Reader:
        self._batch.append_rows()
        return self._given
