"""Following a log: commits in order, from any process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic

from turnlog.domain.commit import Commit
from turnlog.engine.arguments import check_wait
from turnlog.engine.readable_log import ReadableLog
from turnlog.errors import Unavailable
from turnlog.projections.shown_commits import shown_commits
from turnlog.storage.subscription import WAIT_SECONDS, Subscription, digest_at


class FollowedLog(ReadableLog):
    """The part of a log for readers that wait for new commits."""

    def follow(
        self, after: int | None = None, digest: bytes | None = None
    ) -> Iterator[tuple[int, Commit]]:
        """Positions and commits above `after` (None: from now on), in order, from any process.

        Waits for more until the log is closed. digest: the value of `log.digest(after)` when the
        follower was there. Raises OutOfRange if the log ends before `after`, and AnotherPast if
        another row is at that position, immediately or when it happens later.
        """
        return self._followed(Subscription.after(self.store, after, digest))

    def digest(self, position: int) -> bytes:
        """The digest of the row at a position, which `follow` compares; at 0 it identifies the log.

        Raises OutOfRange for an unknown position.
        """
        return digest_at(self.store, position)

    def _followed(self, subscription: Subscription) -> Iterator[tuple[int, Commit]]:
        with self._until_closed():
            while not self.closing.is_set():
                commits = self.next_commits(subscription)
                yield from commits
                if not commits:
                    subscription.wait()

    @contextmanager
    def _until_closed(self) -> Iterator[None]:
        """Ends without an error if the log is closed meanwhile."""
        try:
            yield
        except Unavailable:
            if not self.closing.is_set():
                raise

    def next_commits(self, subscription: Subscription) -> list[tuple[int, Commit]]:
        """What a subscription reads next, in the form for followers; None if there is
        nothing yet.
        """
        commits = shown_commits(self.store.reader, self.current, subscription.read())
        return [(commit.position or 0, commit) for commit in commits]

    def wait(self, id: str, after: int, timeout: float | None = None) -> bool:
        """Whether the conversation has, or gets in time, events numbered above `after`.

        timeout: seconds; None waits without limit.
        """
        check_wait(id, after, timeout)
        until = monotonic() + (inf if timeout is None else timeout)
        with self._until_closed():
            while True:
                position, event = self.end(id)
                left = until - monotonic()
                if event > after or left <= 0 or self.closing.is_set():
                    return event > after
                self.store.wait_above(position, min(left, WAIT_SECONDS))
        return False
