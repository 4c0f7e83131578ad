"""The one writer: whatever is waiting is decided and committed in one transaction.

A thread that wants to write puts its request into the queue and takes the lock; whoever holds it
commits everything that waits (group commit). A request is answered only after COMMIT.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Sequence

from eventsourcing.persistence import IntegrityError
from msgspec.structs import replace

from turnlog.engine.batch import Batch, Standing
from turnlog.engine.request import Recorded, Request
from turnlog.errors import Corrupt, Unavailable
from turnlog.storage.recorder import Recorder, Transaction
from turnlog.storage.rows import Head, Snapshot

logger = logging.getLogger(__name__)

BATCH_REQUESTS = 256
"""Requests that share a transaction at most."""

CACHED_CONVERSATIONS = 1_000
"""Conversations whose standing is kept in memory."""


class Writer:
    """Decides and commits requests, several conversations and threads at once."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._cache: OrderedDict[str, Standing] = OrderedDict()
        self._position: int | None = None
        self._alone = False  # nobody else wrote since the commit before, when it was last looked

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
        self._commit(self._taken(BATCH_REQUESTS))

    def _commit(self, requests: list[Request]) -> None:
        try:
            batch = self._committed(requests)
        except BaseException as error:
            self._cache.clear()
            if isinstance(error, Corrupt) and len(requests) > 1:  # one of them, not all
                for request in requests:
                    self._commit([request])
                return
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

    def _committed(self, requests: Sequence[Request]) -> Batch:
        """First as if nobody else wrote and no key were known: the tables refuse it if not."""
        if self._alone:
            try:
                return self._attempt(requests, self._position)
            except Unavailable:
                raise
            except Exception as error:
                logger.debug("the batch is decided again: %s", error)
        try:
            return self._attempt(requests, None)
        except IntegrityError as error:  # although it looked
            names = ", ".join(sorted({repr(request.conversation) for request in requests}))
            raise Corrupt(f"conversation {names}: head and rows do not agree: {error}") from error

    def _attempt(self, requests: Sequence[Request], position: int | None) -> Batch:
        """position: the log's last one, where that and the cache are to be believed; or None."""
        with self._recorder.transaction() as transaction:
            batch = Batch(self._cache, transaction, position)
            if position is None:
                self._alone = batch.position == self._position
                if not self._alone:
                    self._cache.clear()
                batch.read_keys(requests)
            batch.read_heads(requests)
            batch.decide(requests)
            batch.write()
        return batch

    def _keep(self, standings: dict[str, Standing]) -> None:
        """Those just written: another writer may give a snapshot to one that was only read."""
        cache = self._cache
        for conversation, standing in standings.items():
            cache[conversation] = standing
            cache.move_to_end(conversation)
        while len(cache) > CACHED_CONVERSATIONS:
            cache.popitem(last=False)

    def _take_snapshots(self, batch: Batch) -> None:
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
            if (standing := self._cache.get(head.conversation)) is not None:
                self._cache[head.conversation] = replace(standing, snapshot=head.snapshot)


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
