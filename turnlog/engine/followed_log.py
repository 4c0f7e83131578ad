"""Following a log: commits as they come, whoever records them."""

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
    """What is read from a log as it is recorded, by whoever waits for it."""

    def follow(
        self, after: int | None = None, digest: bytes | None = None
    ) -> Iterator[tuple[int, Commit]]:
        """Positions and commits above `after` (None: from now on), in order, whoever wrote them.

        Waits for more until the log is closed. digest: what `log.digest(after)` was when the
        follower was there. Raises OutOfRange where the log ends before `after`, AnotherPast where
        another row is there, at once and whenever it is found so later.
        """
        return self._followed(Subscription.after(self.store, after, digest))

    def digest(self, position: int) -> bytes:
        """Of the row at a position, which `follow` compares; at 0 it names the log itself.

        Raises OutOfRange where there is no such position.
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
        """Ends without an error where the log is closed meanwhile."""
        try:
            yield
        except Unavailable:
            if not self.closing.is_set():
                raise

    def next_commits(self, subscription: Subscription) -> list[tuple[int, Commit]]:
        """What a subscription reads next as followers see it; none where there is none yet."""
        commits = shown_commits(self.store.reader, self.current, subscription.read())
        return [(commit.position or 0, commit) for commit in commits]

    def wait(self, id: str, after: int, timeout: float | None = None) -> bool:
        """Whether the conversation has events numbered above `after`, or got some in time.

        timeout: seconds; None waits for ever.
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
