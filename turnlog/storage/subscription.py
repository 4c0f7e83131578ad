"""Following a log as it grows, from a position on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turnlog.storage.recorder import Reader, Recorder
from turnlog.storage.rows import Row

BATCH_COMMITS = 2000
"""Commits read at once, and projected in one transaction."""

WAIT_SECONDS = 0.5
"""Time after which one who waits for more looks whether it was stopped."""


def batches(
    reader: Reader, after: int = 0, upto: int | None = None, size: int = BATCH_COMMITS
) -> Iterator[Sequence[Row]]:
    """The rows that are there of positions above `after`, up to and with `upto`, in order."""
    while upto is None or after < upto:
        rows = reader.tail(after, size if upto is None else min(size, upto - after))
        if not rows:
            return
        yield rows
        after = rows[-1].position


class Subscription:
    """The rows of positions above a given one, in batches and in order, whoever writes them.

    position: of the last row that was read. Iterated, it waits for more until it is stopped;
    `read` takes what is there.
    """

    def __init__(self, recorder: Recorder, position: int = 0, *, size: int = BATCH_COMMITS) -> None:
        self._recorder = recorder
        self._size = size
        self._stopped = False
        self.position = position

    def read(self, reader: Reader | None = None) -> Sequence[Row]:
        """The next batch, empty where there is none yet; through a transaction where given."""
        reader = reader or self._recorder.reader
        rows = next(batches(reader, self.position, size=self._size), ())
        if rows:
            self.position = rows[-1].position
        return rows

    def skip(self) -> None:
        """Pass over what is there."""
        self.position = self._recorder.reader.last_position()

    def wait(self, timeout: float = WAIT_SECONDS) -> bool:
        """Whether there is more than was read; waits some seconds for it at most."""
        return self._recorder.wait_above(self.position, timeout)

    def stop(self) -> None:
        self._stopped = True
        self._recorder.signal.send()

    def __iter__(self) -> Iterator[Sequence[Row]]:
        while not self._stopped:
            if rows := self.read():
                yield rows
            else:
                self.wait()
