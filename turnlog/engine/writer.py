"""The one writer: whatever is waiting is decided and committed in one transaction.

A thread that wants to write puts its request into the queue and takes the lock; whoever holds it
commits everything that waits (group commit). A request is answered only after COMMIT.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

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
"""Asks for events, given where the conversation stands when its turn to write has come."""

SNAPSHOT_EVERY = 256
"""Events between the snapshots of a conversation."""

MAX_BATCH = 256
CACHED_HEADS = 1_000


@dataclass(slots=True)
class Recorded:
    """What was recorded: the commits, oldest first; `new` is False where the key was known."""

    commits: list[Commit]
    state: State
    new: bool = True

    @property
    def events(self) -> list[Event]:
        return [event for commit in self.commits for event in commit.events]


@dataclass(slots=True)
class Request:
    """One conversation's command. now: as in `decide`. split: at most that many events a commit."""

    conversation: str
    command: Command
    recorded: float
    now: float | None = None
    key: str | None = None
    expected_version: int | None = None
    split: int | None = None
    done: Future[Recorded] = field(default_factory=Future)


@dataclass(slots=True)
class _Cached:
    """A head with its state decoded."""

    head: Head
    state: State


class Writer:
    """Decides and commits requests, several conversations and threads at once."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._cache: OrderedDict[str, _Cached] = OrderedDict()
        self._position = -1

    def submit(self, request: Request) -> Future[Recorded]:
        """Queue a request for the next flush."""
        self._waiting.append(request)
        return request.done

    def perform(self, request: Request) -> Recorded:
        """Queue a request and return when it is durable."""
        self.submit(request)
        with self._lock:
            while not request.done.done():
                self._commit_batch()
        return request.done.result()

    def flush(self) -> None:
        """Commit all that is waiting now."""
        with self._lock:
            while self._waiting:
                self._commit_batch()

    def _commit_batch(self) -> None:
        requests = self._taken(MAX_BATCH)
        batch = _Batch(self._cache)
        try:
            with self._recorder.transaction() as transaction:
                batch.begin(transaction, self._position, requests)
                for request in requests:
                    batch.take(request)
                batch.write()
        except BaseException as error:
            self._cache.clear()
            if isinstance(error, Unavailable):  # whoever waited behind it has waited long enough
                requests += self._taken(len(self._waiting))
            for request in requests:
                request.done.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        self._position = batch.position
        self._keep(batch.written)
        for request, outcome in batch.outcomes:
            if isinstance(outcome, Exception):
                request.done.set_exception(outcome)
            else:
                request.done.set_result(outcome)
        self._take_snapshots(batch)

    def _taken(self, count: int) -> list[Request]:
        """The next requests whose callers still want them."""
        taken = (self._waiting.popleft() for _ in range(min(count, len(self._waiting))))
        return [request for request in taken if request.done.set_running_or_notify_cancel()]

    def _keep(self, heads: dict[str, _Cached]) -> None:
        """Heads just written: another writer may give a snapshot to one that was only read."""
        for conversation, cached in heads.items():
            self._cache[conversation] = cached
            self._cache.move_to_end(conversation)
        while len(self._cache) > CACHED_HEADS:
            self._cache.popitem(last=False)

    def _take_snapshots(self, batch: _Batch) -> None:
        """Outside the commit: a snapshot that fails costs speed, never data."""
        if not batch.due:
            return
        try:
            with self._recorder.transaction() as transaction:
                current = [
                    head
                    for conversation in batch.due
                    if _unmoved(transaction, head := batch.written[conversation].head)
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
            if (cached := self._cache.get(head.conversation)) is not None:
                cached.head = head


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
    """The requests of one transaction; nothing outside is touched before it has committed."""

    def __init__(self, cache: OrderedDict[str, _Cached]) -> None:
        self._cache = cache
        self.heads: dict[str, _Cached] = {}
        self.written: dict[str, _Cached] = {}
        self.due: dict[str, list[Head]] = {}  # where snapshots are due, oldest first
        self.outcomes: list[tuple[Request, Recorded | Exception]] = []
        self._rows: list[Row] = []
        self._stored: dict[str, Head] = {}
        self._keys: dict[tuple[str, str], list[Commit]] = {}

    def begin(self, transaction: Transaction, seen: int, requests: Sequence[Request]) -> None:
        """Read what the requests need, at once for all of them."""
        self._transaction = transaction
        self.position = transaction.last_position()
        if self.position != seen:
            self._cache.clear()
        names = {request.conversation for request in requests} - self._cache.keys()
        if names:
            self._stored = {head.conversation: head for head in transaction.heads_of([*names])}
        keys = {(r.conversation, r.key) for r in requests if r.key is not None}
        if keys:
            for row in transaction.keyed_rows([*keys]):
                assert row.key is not None
                self._keys[row.conversation, row.key] = [row.commit()]

    def take(self, request: Request) -> None:
        try:
            outcome: Recorded | Exception = self._decide(request)
        except Exception as error:
            outcome = error
        self.outcomes.append((request, outcome))

    def write(self) -> None:
        self._append_rows()
        if self.written:
            self._transaction.put_heads([cached.head for cached in self.written.values()])

    def _append_rows(self) -> None:
        if self._rows:
            self._transaction.append(self._rows)
            self._rows = []

    def _decide(self, request: Request) -> Recorded:
        cached = self._head(request.conversation)
        if request.key is not None and (known := self._known(request, cached)) is not None:
            return known
        head, before = cached.head, cached.state
        if request.expected_version not in (None, head.version):
            assert request.expected_version is not None
            raise VersionConflict(request.conversation, request.expected_version, head.version)
        history = _BatchHistory(self, request.conversation)
        asked = binary.checked(request.conversation, request.command(before, history))
        if not asked:
            return Recorded([], before)
        events, state = decide(
            request.conversation, before, asked, history=history, now=request.now
        )
        recorded = Recorded(self._commits(request, head, before, events), state)
        if request.key is not None:
            self._keys[request.conversation, request.key] = recorded.commits
        self._advance(head, before, recorded)
        return recorded

    def _head(self, conversation: str) -> _Cached:
        cached = self.heads.get(conversation) or self._cache.get(conversation)
        if cached is None:
            head = self._stored.get(conversation)
            if head is None:
                cached = _Cached(Head(conversation, 0, 0, b"", 0, 0, 0, b""), State())
            else:
                cached = _Cached(head, binary.decode_state(head.state))
        self.heads[conversation] = cached
        return cached

    def _known(self, request: Request, cached: _Cached) -> Recorded | None:
        assert request.key is not None
        known = self._keys.get((request.conversation, request.key))
        return None if known is None else Recorded(known, cached.state, new=False)

    def _commits(
        self, request: Request, head: Head, before: State, events: Sequence[Event]
    ) -> list[Commit]:
        size = request.split or len(events)
        commits: list[Commit] = []
        turn = before.turn
        for start in range(0, len(events), size):
            chunk = tuple(events[start : start + size])
            commits.append(
                Commit(
                    request.conversation,
                    head.version + 1 + len(commits),
                    before.event + 1 + start,
                    turn,
                    request.recorded,
                    chunk,
                    request.key if start == 0 else None,
                )
            )
            turn += sum(type(event).__name__ == "UserUttered" for event in chunk)
        return commits

    def _advance(self, head: Head, before: State, recorded: Recorded) -> None:
        alone = len(recorded.commits) == 1
        state = recorded.state if alone else before.copy()
        for commit in recorded.commits:
            if not alone:
                fold(state, commit.events)
            head = self._appended(head, commit, state)
            self._note_snapshot(head)
        cached = _Cached(head, recorded.state)
        self.heads[head.conversation] = self.written[head.conversation] = cached

    def _appended(self, head: Head, commit: Commit, state: State) -> Head:
        """Where the conversation stands after one more commit."""
        self.position += 1
        row = Row(
            self.position,
            commit.conversation,
            commit.version,
            binary.TOPIC,
            commit.key,
            head.digest,
            binary.encode_commit(commit),
        )
        self._rows.append(row)
        return Head(
            commit.conversation,
            commit.version,
            self.position,
            row.digest(),
            state.event,
            state.turn,
            head.snapshot,
            binary.encode_state(state),
        )

    def _note_snapshot(self, head: Head) -> None:
        due = self.due.get(head.conversation)
        last = due[-1].event if due else head.snapshot
        if head.event - last >= SNAPSHOT_EVERY:
            self.due.setdefault(head.conversation, []).append(head)


class _BatchHistory(StoredHistory):
    """The past as the transaction sees it, with the batch's own rows written first."""

    def __init__(self, batch: _Batch, conversation: str) -> None:
        super().__init__(batch._transaction, conversation)
        self._batch = batch

    def commits(self, after: int = 0):  # type: ignore[no-untyped-def]
        self._batch._append_rows()
        return super().commits(after)

    def newest_first(self):  # type: ignore[no-untyped-def]
        self._batch._append_rows()
        return super().newest_first()
