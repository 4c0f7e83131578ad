"""The one writer: whatever is waiting is decided and committed in one transaction.

A thread that wants to write puts its request into the queue and takes the lock; whoever holds it
commits everything that waits (group commit). A request is answered only after COMMIT.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence

import msgspec

from turnlog.domain.apply import fold
from turnlog.domain.conversation import Commit, Past
from turnlog.domain.decide import decide
from turnlog.domain.events import Event
from turnlog.domain.state import State
from turnlog.engine.history import StoredHistory
from turnlog.errors import Unavailable, VersionConflict
from turnlog.serializers import binary
from turnlog.storage.recorder import Head, Recorder, Row, Snapshot, Transaction

logger = logging.getLogger(__name__)

Command = Callable[[State, Past], Iterable[Event]]
"""Asks for events, given where the conversation stands when its turn to write has come.

Called again where that turns out to be outdated, so it reads and answers, and does nothing else.
"""

SNAPSHOT_EVERY = 256
"""Events between the snapshots of a conversation."""

MAX_BATCH = 256
CACHED = 1_000
"""Conversations whose standing is kept in memory."""


class Recorded(msgspec.Struct):
    """What was recorded: the commits, oldest first; `new` is False where the key was known."""

    commits: list[Commit]
    state: State
    new: bool = True

    @property
    def events(self) -> list[Event]:
        return [event for commit in self.commits for event in commit.events]


class Request(msgspec.Struct):
    """One conversation's command. now: as in `decide`. split: at most that many events a commit.

    outcome: None until it was tried.
    """

    conversation: str
    command: Command
    recorded: float
    now: float | None = None
    key: str | None = None
    expected_version: int | None = None
    split: int | None = None
    outcome: Recorded | BaseException | None = None

    def result(self) -> Recorded:
        """What was recorded, once it was tried; raises what was in the way."""
        assert self.outcome is not None, "the request waits for a flush"
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


class _Standing(msgspec.Struct, frozen=True):
    """A head with its state decoded."""

    conversation: str
    version: int
    position: int
    digest: bytes
    snapshot: int
    state: State

    @classmethod
    def of(cls, head: Head) -> _Standing:
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


class Writer:
    """Decides and commits requests, several conversations and threads at once."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._cache: OrderedDict[str, _Standing] = OrderedDict()
        self._position: int | None = None

    def submit(self, request: Request) -> None:
        """Queue a request for the next flush."""
        self._waiting.append(request)

    def perform(self, request: Request) -> Recorded:
        """Queue a request and return when it is durable."""
        self._waiting.append(request)
        with self._lock:
            while request.outcome is None:
                self._commit_batch()
        return request.result()

    def flush(self) -> None:
        """Commit all that is waiting now."""
        with self._lock:
            while self._waiting:
                self._commit_batch()

    def _commit_batch(self) -> None:
        requests = self._taken(MAX_BATCH)
        try:
            batch = self._committed(requests)
        except BaseException as error:
            self._cache.clear()
            if isinstance(error, Unavailable):  # whoever waited behind it has waited long enough
                requests += self._taken(len(self._waiting))
            for request in requests:
                request.outcome = error
            if not isinstance(error, Exception):
                raise
            return
        self._position = batch.position
        self._keep(batch.written)
        for request, outcome in zip(requests, batch.outcomes, strict=True):
            request.outcome = outcome
        if batch.due:
            self._take_snapshots(batch)

    def _taken(self, count: int) -> list[Request]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(count, len(waiting)))]

    def _committed(self, requests: Sequence[Request]) -> _Batch:
        """First as if nobody else wrote and no key were known: the tables refuse it if not."""
        if self._position is not None:
            try:
                return self._attempt(requests, self._position)
            except Unavailable:
                raise
            except Exception as error:
                logger.debug("the batch is decided again: %s", error)
        return self._attempt(requests, None)

    def _attempt(self, requests: Sequence[Request], position: int | None) -> _Batch:
        """position: the log's last one, where that and the cache are to be believed; or None."""
        with self._recorder.transaction() as transaction:
            batch = _Batch(self._cache, transaction, position)
            if position is None:
                if batch.position != self._position:
                    self._cache.clear()
                batch.read_keys(requests)
            batch.read_heads(requests)
            batch.decide(requests)
            batch.write()
        return batch

    def _keep(self, standings: dict[str, _Standing]) -> None:
        """Those just written: another writer may give a snapshot to one that was only read."""
        cache = self._cache
        for conversation, standing in standings.items():
            cache[conversation] = standing
            cache.move_to_end(conversation)
        while len(cache) > CACHED:
            cache.popitem(last=False)

    def _take_snapshots(self, batch: _Batch) -> None:
        """Outside the commit: a snapshot that fails costs speed, never data."""
        try:
            with self._recorder.transaction() as transaction:
                current = [
                    head
                    for conversation in batch.due
                    if _unmoved(transaction, head := batch.written[conversation].head())
                ]
                for head in current:
                    transaction.put_snapshots(_snapshots(batch.due[head.conversation]))
                current = [
                    head._replace(snapshot=batch.due[head.conversation][-1].event)
                    for head in current
                ]
                transaction.put_heads(current)
        except Exception:
            logger.exception("snapshots could not be written; they will be tried again")
            return
        for head in current:
            if head.conversation in self._cache:
                self._cache[head.conversation] = _Standing.of(head)


def _unmoved(transaction: Transaction, head: Head) -> bool:
    stored = transaction.head(head.conversation)
    return stored is not None and stored.version == head.version


def _snapshots(heads: Sequence[Head]) -> list[Snapshot]:
    """Of one conversation, each naming the one before."""
    numbers = [heads[0].snapshot, *(head.event for head in heads)]
    return [
        Snapshot(h.conversation, h.version, h.event, h.turn, h.digest, h.state, previous)
        for h, previous in zip(heads, numbers, strict=False)
    ]


class _Batch:
    """The requests of one transaction; nothing outside is touched before it has committed.

    position: the log's last one when it began, and then that of its own last row.
    """

    def __init__(
        self, cache: OrderedDict[str, _Standing], transaction: Transaction, position: int | None
    ) -> None:
        self._cache = cache
        self._transaction = transaction
        self._looked = position is None
        self.position = transaction.last_position() if position is None else position
        self.written: dict[str, _Standing] = {}
        self.due: dict[str, list[Head]] = {}  # where snapshots are due, oldest first
        self.outcomes: list[Recorded | Exception] = []
        self._rows: list[Row] = []
        self._stored: dict[str, _Standing] = {}
        self._keys: dict[tuple[str, str], list[Commit]] = {}

    def read_heads(self, requests: Sequence[Request]) -> None:
        """Of all requests at once."""
        names = {r.conversation for r in requests if r.conversation not in self._cache}
        if names:
            heads = self._transaction.heads_of([*names])
            self._stored = {head.conversation: _Standing.of(head) for head in heads}

    def read_keys(self, requests: Sequence[Request]) -> None:
        keys = {(r.conversation, r.key) for r in requests if r.key is not None}
        for row in self._transaction.keyed_rows([*keys]) if keys else ():
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
        self._append_rows()
        if self.written:
            self._transaction.put_heads([standing.head() for standing in self.written.values()])

    def _append_rows(self) -> None:
        if self._rows:
            self._transaction.append(self._rows)
            self._rows = []

    def _decided(self, request: Request) -> Recorded:
        conversation, key = request.conversation, request.key
        standing = self._standing(conversation)
        if key is not None and (known := self._keys.get((conversation, key))) is not None:
            return Recorded(known, standing.state, new=False)
        if request.expected_version not in (None, standing.version):
            assert request.expected_version is not None
            raise VersionConflict(conversation, request.expected_version, standing.version)
        history = _BatchHistory(self, conversation)
        asked = binary.checked(conversation, request.command(standing.state, history))
        if not asked:
            if not self._looked:  # no row is written that the tables could refuse
                raise LookupError(f"nothing was asked of {conversation!r} as it was known")
            return Recorded([], standing.state)
        events, state = decide(
            conversation, standing.state, asked, history=history, now=request.now
        )
        if request.split is None:
            commits = [self._commit(request, standing, events, state)]
        else:
            commits = self._split(request, standing, events, request.split)
        recorded = Recorded(commits, state)
        if key is not None:
            self._keys[conversation, key] = commits
        return recorded

    def _standing(self, conversation: str) -> _Standing:
        """Where the conversation stands for the next request."""
        return (
            self.written.get(conversation)
            or self._cache.get(conversation)
            or self._stored.get(conversation)
            or _Standing(conversation, 0, 0, b"", 0, State())
        )

    def _split(
        self, request: Request, standing: _Standing, events: list[Event], size: int
    ) -> list[Commit]:
        """Commits of at most so many events; the first has the key."""
        commits: list[Commit] = []
        for start in range(0, len(events), size):
            chunk = events[start : start + size]
            after = fold(standing.state.copy(), chunk)
            commits.append(self._commit(request, standing, chunk, after, first=start == 0))
            standing = self.written[request.conversation]
        return commits

    def _commit(
        self,
        request: Request,
        before: _Standing,
        events: Sequence[Event],
        state: State,
        *,
        first: bool = True,
    ) -> Commit:
        conversation = request.conversation
        commit = Commit(
            conversation,
            before.version + 1,
            before.state.event + 1,
            before.state.turn,
            request.recorded,
            tuple(events),
            request.key if first else None,
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
        standing = _Standing(
            conversation, commit.version, self.position, row.digest(), before.snapshot, state
        )
        self.written[conversation] = standing
        if state.event - before.snapshot >= SNAPSHOT_EVERY:
            self._note_snapshot(standing)
        return commit

    def _note_snapshot(self, standing: _Standing) -> None:
        due = self.due.setdefault(standing.conversation, [])
        if not due or standing.state.event - due[-1].event >= SNAPSHOT_EVERY:
            due.append(standing.head())


class _BatchHistory(StoredHistory):
    """The past as the transaction sees it, with the batch's own rows written first."""

    def __init__(self, batch: _Batch, conversation: str) -> None:
        self._batch = batch
        self._reader = batch._transaction
        self._conversation = conversation

    def commits(self, after: int = 0):  # type: ignore[no-untyped-def]
        self._batch._append_rows()
        return super().commits(after)

    def groups(self, after: int = 0):  # type: ignore[no-untyped-def]
        self._batch._append_rows()
        return super().groups(after)

    def newest_first(self):  # type: ignore[no-untyped-def]
        self._batch._append_rows()
        return super().newest_first()
