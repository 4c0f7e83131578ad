"""The one writer: decides and commits everything that waits in one transaction.

A thread that writes puts its request into the queue and takes the lock; the holder of the lock
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
"""The most requests that share a transaction."""


class Writer:
    """Decides and commits requests of several conversations and threads together."""

    def __init__(self, recorder: Recorder, heads: Heads, random: Random = os.urandom) -> None:
        self._recorder = recorder
        self._heads = heads
        self._random = random
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._believes = False  # no other process wrote, when it last looked
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
        """Commit everything that is waiting now."""
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
            if isinstance(error, Unavailable):  # the requests behind it have waited long enough
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
        """Outside the commit: derived tables that lag behind cost speed, never data."""
        try:
            self._heads.catch_up()
        except StorageError:
            logger.exception("cannot update the derived tables; trying again later")

    def close(self) -> None:
        """Update everything that the next opening of the log would have to."""
        with self._lock:
            if self._wrote:
                self._wrote = False
                self._catch_up()

    def _taken(self, count: int) -> list[Request]:
        waiting = self._waiting
        return [waiting.popleft() for _ in range(min(count, len(waiting)))]

    def _committed(self, requests: Sequence[Request]) -> Batch:
        """First assumes that no other process wrote and no key is known: the tables refuse it if
        not.
        """
        if self._believes and self._heads.position:  # a restore may fill an empty log
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
        """Decide with the known heads, then append, with one statement if possible."""
        batch = Batch(self._heads, None, self._random)
        if self._heads.outdated:
            raise LookupError("keys were destroyed after the heads were read")
        batch.read(requests)
        batch.decide(requests)
        if (made := batch.appending).rows:
            batch.put_at(self._recorder.append(made.rows, made.streams, made.keys))
        return batch

    def _looked(self, requests: Sequence[Request]) -> Batch:
        """Read what others wrote, decide and append while no one else can."""
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
    """Whether the failure is a request's, not the log's."""
    if isinstance(error, StorageError):
        return isinstance(error, Corrupt)
    return isinstance(error, Exception)
