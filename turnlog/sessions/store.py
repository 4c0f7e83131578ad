"""Session values in memory, as fresh as the log. Managers read and commit through it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from time import monotonic

from turnlog.domain.commit import Commit
from turnlog.domain.streams import GLOBALS
from turnlog.encoding.rows import is_commit
from turnlog.engine.locks import KeyedLocks
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Recorded, Request
from turnlog.projections.heads import newest_erasure
from turnlog.projections.projection import catch_up, redacts
from turnlog.projections.session_values import SessionValuesProjection, Values, session_values
from turnlog.storage import forks
from turnlog.storage.contents import StoredContents
from turnlog.storage.rows import Row
from turnlog.storage.subscription import BATCH_COMMITS, Subscription

UNSEEN_SECONDS = 0.001
"""Seconds for which a read outside a turn may miss what other processes wrote."""

SESSIONS_CACHED = 10_000
"""How many sessions are cached."""

COMMITS_PER_PROJECTION = 512
"""After how many commits the read model is brought up to date."""


class Store(forks.Forked):
    """expiry, global_expiry: seconds since the last save after which values expire.

    turns: locks of the sessions whose turn is open in this process.
    """

    def __init__(
        self, log: Turnlog, *, expiry: float | None = None, global_expiry: float | None = None
    ) -> None:
        self.log = log
        self._expiry = expiry
        self._global_expiry = global_expiry
        self._expires = expiry is not None or global_expiry is not None
        self._lock = threading.RLock()
        self.turns = KeyedLocks()
        self._cached: dict[str, Values] = {}
        self._fresh_until = 0.0
        self._subscription = Subscription(log.store, log.store.reader.last_position())
        self._commits = 0
        forks.tell(self)

    def after_fork(self) -> None:
        """Gives the child a free lock."""
        self._lock = threading.RLock()

    def close(self) -> None:
        """Brings the read model up to date, so that the next start reads little."""
        catch_up(self.log.store, [SessionValuesProjection()])

    # --- reading --------------------------------------------------------------------------------

    def values(self, id: str) -> Values:
        """A session's current values. Do not modify them."""
        if monotonic() >= self._fresh_until:
            self._follow()
        values = self._cached.get(id)
        if values is None:
            values = self._load(id)
        if self._expires or values.expires:
            return self._unexpired(id, values)
        return values

    def _load(self, id: str) -> Values:
        with self._lock:
            values = session_values(self.log.store.reader, id)
            while len(self._cached) >= SESSIONS_CACHED:
                del self._cached[next(iter(self._cached))]
            self._cached[id] = values
            return values

    def _follow(self) -> None:
        """Reads what any process has committed since."""
        with self._lock:
            rows = self._subscription.read()
            if len(rows) == BATCH_COMMITS:  # too many to take one by one: read all again
                self._cached.clear()
                self._subscription.skip()
            for row in rows:
                self._take_row(row)
            self._fresh_until = monotonic() + UNSEEN_SECONDS

    def _take_row(self, row: Row) -> None:
        if newest_erasure([row]):  # it does not name the sessions that lost values
            self._cached.clear()
        cached = self._cached.get(row.conversation)
        if cached is None or (row.life, row.version) <= (cached.life, cached.version):
            return
        if is_commit(row.topic):
            self._take(row.commit(StoredContents(self.log.store.reader)))
        else:
            del self._cached[row.conversation]

    def _unexpired(self, id: str, values: Values) -> Values:
        now = self.log.clock()
        expiry = self._global_expiry if id == GLOBALS else self._expiry
        if expiry is not None and values.touched is not None and now - values.touched > expiry:
            return values.lapse()
        if any(end <= now for end in values.expires.values()):
            return values.without(key for key, end in values.expires.items() if end <= now)
        return values

    def forget(self, id: str) -> None:
        """Drops a session from memory; the next read loads it from the log."""
        with self._lock:
            self._cached.pop(id, None)

    # --- writing --------------------------------------------------------------------------------

    def commit(self, requests: Mapping[str, Request]) -> dict[str, Recorded | Exception]:
        """Commits the requests of several sessions in one transaction; the outcome of each."""
        *rest, last = requests.values()
        for request in rest:
            self.log.writer.submit(request)
        try:
            self.log.writer.perform(last)
        except Exception:  # each request's own outcome is read below
            self.log.writer.flush()
        outcomes: dict[str, Recorded | Exception] = {}
        for id, request in requests.items():
            failed = request.outcome
            outcomes[id] = failed if isinstance(failed, Exception) else request.result()
        self._take_all(outcomes.values())
        return outcomes

    def _take_all(self, outcomes: Iterable[Recorded | Exception]) -> None:
        with self._lock:
            for outcome in outcomes:
                if isinstance(outcome, Recorded):
                    for commit in outcome.commits:
                        self._take(commit)
            self._commits += 1
            if self._commits % COMMITS_PER_PROJECTION == 0:
                catch_up(self.log.store, [SessionValuesProjection()])

    def _take(self, commit: Commit) -> None:
        """Folds a commit into the cached values.

        Drops them if commits between are missing or something is redacted.
        """
        cached = self._cached.get(commit.conversation)
        if cached is None or (commit.life, commit.version) <= (cached.life, cached.version):
            return
        follows = (commit.life, commit.version) == (cached.life, cached.version + 1)
        if not follows or cached.redacted or redacts(commit):
            del self._cached[commit.conversation]
            return
        values = cached.copy()
        values.fold(commit.events)
        values.version = commit.version
        self._cached[commit.conversation] = values
