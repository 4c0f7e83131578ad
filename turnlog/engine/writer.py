"""The one writer: whatever is waiting is decided and committed in one transaction.

A thread that wants to write puts its request into the queue and takes the lock; whoever holds it
commits everything that waits (group commit). A request is answered only after COMMIT.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from eventsourcing.persistence import IntegrityError

from turnlog.engine.batch import Batch
from turnlog.engine.request import Recorded, Request
from turnlog.errors import Corrupt, StorageError, Unavailable
from turnlog.projections.heads import Heads
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Random

logger = logging.getLogger(__name__)

BATCH_REQUESTS = 256
"""Requests that share a transaction at most."""


class Writer:
    """Decides and commits requests, several conversations and threads at once."""

    def __init__(self, recorder: Recorder, heads: Heads, random: Random = os.urandom) -> None:
        self._recorder = recorder
        self._heads = heads
        self._random = random
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._believes = False  # others wrote nothing in between, when it was last looked
        self._wrote = False

    def submit(self, request: Request) -> None:
        """Queue a request for the next flush."""
        self._recorder.check_process()
        self._waiting.append(request)

    def perform(self, request: Request) -> Recorded:
        """Queue a request and return when it is durable."""
        self._recorder.check_process()
        self._waiting.append(request)
        with self._lock:
            while request.outcome is None:
                self._commit(self._taken(BATCH_REQUESTS))
        return request.result()

    def flush(self) -> None:
        """Commit all that is waiting now."""
        self._recorder.check_process()
        with self._lock:
            while self._waiting:
                self._commit(self._taken(BATCH_REQUESTS))

    def _commit(self, requests: list[Request]) -> None:
        try:
            batch = self._committed(requests)
        except BaseException as error:
            if _is_of_one(error) and len(requests) > 1:
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
        made = batch.appending
        self._heads.tail.written(made.after, made.position, made.written, made.lookups)
        if (recent := self._recorder.recent) is not None:
            recent.note(made.digests)
        for request, outcome in zip(requests, batch.outcomes, strict=True):
            request.outcome = outcome
        if made.written:
            self._wrote = True
            if made.takes_out or self._heads.overdue():
                self._catch_up()

    def _catch_up(self) -> None:
        """Outside the commit: tables that stay behind cost speed, never data."""
        try:
            self._heads.catch_up()
        except StorageError:
            logger.exception("the derived tables stay behind; they will be tried again")

    def close(self) -> None:
        """Leave nothing behind for whoever opens the log next."""
        with self._lock:
            if self._wrote:
                self._wrote = False
                self._catch_up()

    def _taken(self, count: int) -> list[Request]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(count, len(waiting)))]

    def _committed(self, requests: Sequence[Request]) -> Batch:
        """First as if nobody else wrote and no key were known: the tables refuse it if not."""
        if self._believes and self._heads.position:  # an empty log may be filled by a restore
            try:
                return self._believed(requests)
            except Unavailable:
                raise
            except Exception as error:
                logger.debug("the batch is decided again: %s", error)
        with suppress(IntegrityError):  # a number for a new stream that another one has
            return self._looked(requests)
        try:
            return self._looked(requests)
        except IntegrityError as error:  # although it looked
            names = ", ".join(sorted({repr(request.conversation) for request in requests}))
            raise Corrupt(f"conversation {names}: head and rows do not agree: {error}") from error

    def _believed(self, requests: Sequence[Request]) -> Batch:
        """Decide on what the heads know, then append: one statement, where that is enough."""
        batch = Batch(self._heads, None, self._random)
        if self._heads.outdated:
            raise LookupError("keys were destroyed since the heads were read")
        batch.read(requests)
        batch.decide(requests)
        if (made := batch.appending).rows:
            batch.put_at(self._recorder.append(made.rows, made.streams, made.keys))
        return batch

    def _looked(self, requests: Sequence[Request]) -> Batch:
        """Look what others wrote, decide and append while nobody else can."""
        heads = self._heads
        with self._recorder.transaction() as transaction:
            before, kept = heads.position, heads.kept(request.conversation for request in requests)
            heads.refresh(transaction)
            batch = Batch(heads, transaction, self._random)
            batch.read(requests)
            same = all(batch.found.get(name) is head for name, head in kept.items())
            self._believes = same if self._recorder.gives_positions else heads.position == before
            batch.decide(requests)
            batch.appending.write()
        return batch


def _is_of_one(error: BaseException) -> bool:
    """Whether it is one of the requests that fails, and not the log."""
    if isinstance(error, StorageError):
        return isinstance(error, Corrupt)
    return isinstance(error, Exception)
