"""Follows a log from a position as it grows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

from turnlog.domain.arguments import LARGEST, check_whole
from turnlog.errors import AnotherPast, OutOfRange
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Row

BATCH_COMMITS = 2000
"""The number of commits read together, and projected in one transaction."""

WAIT_SECONDS = 0.5
"""Seconds after which a waiting subscription checks whether it was stopped."""


def batches(
    reader: Reader, after: int = 0, upto: int | None = None, size: int = BATCH_COMMITS
) -> Iterator[Sequence[Row]]:
    """The rows at positions above `after` up to and including `upto`, in order, in batches."""
    while upto is None or after < upto:
        rows = reader.tail(after, size if upto is None else min(size, upto - after))
        if not rows:
            return
        yield rows
        after = rows[-1].position


def check_past(
    reader: Reader, rows: Sequence[Row], position: int, digest: bytes | None = None
) -> None:
    """Raises an error if the first of the rows is not the one that was read at the position before.

    OutOfRange: the log ends before it. AnotherPast: another row is at the position, by its digest.
    """
    if position < 0 or not rows:
        raise OutOfRange.of_log(position, reader.last_position())
    first = rows[0]
    if first.position != position or (digest is not None and first.digest() != digest):
        raise AnotherPast(position)


def check_position(reader: Reader, position: Any) -> None:
    """Raises OutOfRange for a position that no log can have."""
    check_whole(None, "position", position)
    if not 0 <= position < LARGEST:
        raise OutOfRange.of_log(position, reader.last_position())


def digest_at(recorder: Recorder, position: int) -> bytes:
    """The digest of the row at a position; of the genesis at 0. Raises OutOfRange if it does not
    exist.
    """
    check_position(recorder.reader, position)
    if position == 0:
        return recorder.genesis.digest
    rows = recorder.reader.tail(position - 1, 1)
    check_past(recorder.reader, rows, position)
    return rows[0].digest()


class Subscription:
    """The rows after a position, from all writers, in batches and in order.

    position: of the last row read. digest: of that row, if known. Iteration waits for more until
    stopped; `read` returns what exists. Reading raises the errors of `check_past` if the log is
    not, or no longer, the one read so far.
    """

    def __init__(
        self,
        recorder: Recorder,
        position: int = 0,
        digest: bytes | None = None,
        *,
        size: int = BATCH_COMMITS,
    ) -> None:
        self._recorder = recorder
        self._size = size
        self._stopped = False
        self.seek(position, digest)

    @classmethod
    def after(cls, recorder: Recorder, position: int | None, digest: bytes | None = None) -> Self:
        """A subscription from a position on; None means from now on. Raises like `read`."""
        if position is None and digest is not None:
            raise OutOfRange(None, "a digest needs its position")
        if position is not None:
            check_position(recorder.reader, position)
        last = recorder.reader.last_position() if position is None else position
        subscription = cls(recorder, last, digest)
        subscription.check()
        return subscription

    def seek(self, position: int, digest: bytes | None = None) -> None:
        """Continues after another position."""
        self.position = position
        self._digest = digest
        self._seen: Row | None = None

    @property
    def digest(self) -> bytes | None:
        """The digest of the last row read, if known."""
        return self._digest if self._seen is None else self._seen.digest()

    def read(self, reader: Reader | None = None) -> Sequence[Row]:
        """The next batch; empty if there is none yet. reader: a transaction to read in."""
        reader = reader or self._recorder.reader
        if self.position == 0:
            return self._taken(self._first(reader))
        found = reader.tail(self.position - 1, self._size + 1)
        if not found or found[0] != self._seen:
            check_past(reader, found, self.position, self.digest)
        self._seen = found[0]
        return self._taken(found[1:])

    def _first(self, reader: Reader) -> Sequence[Row]:
        """The log's first rows, which follow the genesis."""
        if self._digest not in (None, self._recorder.genesis.digest):
            raise AnotherPast(0)
        return reader.tail(0, self._size)

    def _taken(self, rows: Sequence[Row]) -> Sequence[Row]:
        if rows:
            self._seen = rows[-1]
            self.position = rows[-1].position
        return rows

    def check(self) -> None:
        """Raises like `read` if the log is not the one read so far."""
        if self.position == 0:
            self._first(self._recorder.reader)
        else:
            rows = self._recorder.reader.tail(self.position - 1, 1)
            check_past(self._recorder.reader, rows, self.position, self.digest)

    def skip(self) -> None:
        """Skips all existing rows."""
        self.seek(self._recorder.reader.last_position())

    def wait(self, timeout: float = WAIT_SECONDS) -> bool:
        """Whether more rows exist. Waits for them for at most `timeout` seconds."""
        return self._recorder.wait_above(self.position, timeout)

    def stop(self) -> None:
        """Ends iterations, in any thread."""
        self._stopped = True
        self._recorder.signal.send()

    def __iter__(self) -> Iterator[Sequence[Row]]:
        while not self._stopped:
            if rows := self.read():
                yield rows
            else:
                self.wait()
