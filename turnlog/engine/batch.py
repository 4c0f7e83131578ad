"""The requests of one transaction, decided and made into rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from turnlog.domain.apply import fold
from turnlog.domain.commit import Commit
from turnlog.domain.decide import decide
from turnlog.domain.events import Event
from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.encoding.rows import SALT_BYTES, columns, digest
from turnlog.engine.history import StoredHistory
from turnlog.engine.request import Part, Recorded, Request
from turnlog.errors import InvalidEvent, VersionConflict
from turnlog.projections.heads import Following, Heads, LiveHead
from turnlog.storage.recorder import Reader, Transaction
from turnlog.storage.rows import Genesis, Key, Row, Stream, lookup_of


class Batch:
    """The requests of one transaction; nothing outside is touched before it has committed.

    looked: whether what the heads know was read in this transaction, or is believed.
    """

    def __init__(
        self,
        heads: Heads,
        transaction: Transaction,
        genesis: Genesis,
        random: Callable[[int], bytes],
        *,
        looked: bool,
    ) -> None:
        self._heads = heads
        self._transaction = transaction
        self._genesis = genesis
        self._random = random
        self._looked = looked
        self.position = heads.position or 0
        self.written: dict[str, Following] = {}
        self.keys: dict[tuple[str, str], int] = {}
        self.outcomes: list[Recorded | Exception] = []
        self._found: dict[str, LiveHead] = {}
        self._rows: list[Row] = []
        self._streams: list[Stream] = []
        self._new_keys: list[Key] = []
        self._known: dict[tuple[str, str], list[Commit]] = {}

    @property
    def reader(self) -> Reader:
        """The log with the batch's own rows in it."""
        self.write()
        return self._transaction

    def read(self, requests: Sequence[Request], *, keys: bool) -> None:
        """The heads of all requests at once, and their keys unless the tables refuse those."""
        self._found = self._heads.known(
            self._transaction, {request.conversation for request in requests}
        )
        asked = [(r.conversation, key) for r in requests for key in r.keys]
        if asked := [pair for pair in asked if pair[0] in self._found]:
            self._read_keys(asked, indexed=keys)

    def _read_keys(self, asked: Sequence[tuple[str, str]], *, indexed: bool) -> None:
        rest: list[tuple[str, str]] = []
        for pair in asked:
            if (position := self._heads.key(*pair)) is not None:
                rows = self._transaction.tail(position - 1, 1)
                self._known[pair] = [row.commit() for row in rows]
            elif indexed:
                rest.append(pair)
        for row in self._transaction.keyed_rows(rest) if rest else ():
            commit = row.commit()
            if commit.key is not None:
                self._known[commit.conversation, commit.key] = [commit]

    def decide(self, requests: Sequence[Request]) -> None:
        for request in requests:
            try:
                self.outcomes.append(self._decided(request))
            except Exception as error:
                if not self._looked:
                    raise
                self.outcomes.append(error)

    def write(self) -> None:
        if self._rows:
            self._transaction.append(self._rows, self._streams, self._new_keys)
            self._rows, self._streams, self._new_keys = [], [], []

    def _decided(self, request: Request) -> Recorded:
        conversation, key = request.conversation, request.key
        head = self._head(conversation)
        if key is not None and (known := self._known.get((conversation, key))) is not None:
            if not self._looked:
                raise LookupError(f"key {key!r} of {conversation!r} is known")
            shown = [] if head.state.deleted else self._shown(known, head.state)
            return Recorded(shown, head.state, new=False)
        if request.expected_version not in (None, head.version):
            assert request.expected_version is not None
            raise VersionConflict(conversation, request.expected_version, head.version)
        history = _History(self, conversation)
        asked = binary.checked(conversation, request.command(head.state, history))
        if not asked:
            if not self._looked:  # no row is written that the tables could refuse
                raise LookupError(f"nothing was asked of {conversation!r} as it was known")
            return Recorded([], head.state)
        events, state = decide(conversation, head.state, asked, history=history, now=request.now)
        if request.split is None and not request.staged:
            commits = [self._commit(head, Part(events, request.recorded, key), state)]
            if key is not None:
                self._known[conversation, key] = commits
        else:
            commits = self._cut(request, head, events)
        return Recorded(commits, state)

    def _shown(self, known: list[Commit], state: State) -> list[Commit]:
        """What was recorded before as it may be shown now."""
        if not state.redacted:
            return known
        redactions = _History(self, known[0].conversation).redactions()
        return [commit.shown(redactions) for commit in known]

    def _head(self, conversation: str) -> LiveHead:
        """Where the conversation stands for the next request."""
        if (written := self.written.get(conversation)) is not None and written.head is not None:
            return written.head
        return self._found.get(conversation) or LiveHead(
            conversation, 0, b"", 0, 0, self._genesis.digest, 0, State()
        )

    def _cut(self, request: Request, head: LiveHead, events: Sequence[Event]) -> list[Commit]:
        """The commits that a request's events are cut into."""
        commits: list[Commit] = []
        self._note_keys(request, commits)
        for part in request.parts(events):
            after = fold(head.state.copy(), part.events)
            commits.append(self._commit(head, part, after))
            head = self._head(request.conversation)
        return commits

    def _note_keys(self, request: Request, commits: list[Commit]) -> None:
        """Raise InvalidEvent for one that is known: what it belongs to is in the log already."""
        conversation, keys = request.conversation, request.keys
        for key in keys:
            if (conversation, key) in self._known or keys.count(key) > 1:
                raise InvalidEvent(conversation, "key", f"{key!r:.80} was recorded already")
        self._known.update(((conversation, key), commits) for key in keys)

    def _commit(self, before: LiveHead, part: Part, state: State) -> Commit:
        conversation, position = before.conversation, self.position + 1
        commit = Commit(
            conversation, before.version + 1, before.state.event + 1, before.state.turn,
            part.recorded, tuple(part.events), part.key, position,
        )  # fmt: skip
        stream, owner, name = self._stream(before)
        made = columns(commit, self._random(SALT_BYTES))
        self._rows.append(
            Row(
                position, stream, commit.version, made.topic, before.digest, made.skeleton, b"",
                made.parts, owner, name,
            )
        )  # fmt: skip
        if part.key is not None:
            self.keys[conversation, part.key] = position
            lookup = lookup_of(self._genesis.secret, conversation, part.key)
            self._new_keys.append(Key(lookup, position))
        sealed = digest(
            owner, commit.version, made.topic, before.digest, made.skeleton, made.commitments
        )
        snapshot = 0 if state.deleted else before.snapshot
        self.position = position
        self._follow(
            LiveHead(
                conversation, stream, owner, commit.version, position, sealed, snapshot, state
            ),
            snapshot,
        )
        return commit

    def _stream(self, head: LiveHead) -> tuple[int, bytes, bytes | None]:
        """Number and commitment of the conversation's stream, which may begin here."""
        if head.version:
            return head.stream, head.owner, None
        stream = Stream.of(head.conversation, 1, self._genesis.digest, self._random)
        self._streams.append(stream)
        return stream.stream, stream.owner, stream.name

    def _follow(self, head: LiveHead, before: int) -> None:
        if (following := self.written.get(head.conversation)) is None:
            following = self.written[head.conversation] = Following(None, [], {})
        following.put(head, before)


class _History(StoredHistory):
    """The past as the transaction sees it, with the batch's own rows written first."""

    def __init__(self, batch: Batch, conversation: str) -> None:
        super().__init__(batch._transaction, conversation, batch._heads)
        self._batch = batch

    @property
    def _reader(self) -> Reader:
        return self._batch.reader
