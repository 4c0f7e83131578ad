"""A log in memory: plain lists and dictionaries, for Python and for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from turnlog.errors import Unavailable
from turnlog.storage.memory_tables import MemoryTransaction
from turnlog.storage.recorder import Recorder


class MemoryRecorder(Recorder):
    """A log in memory, which ends with the process or `close`."""

    url = "memory:"
    poll = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.RLock()
        self._tables = MemoryTransaction(self._lock)
        self.genesis = self._tables.genesis
        self._closed = False

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"{self.url} the log was closed")

    @contextmanager
    def transaction(self) -> Iterator[MemoryTransaction]:
        """See `Recorder.transaction`."""
        self.check_writable()
        self._check_open()
        with self._lock:
            try:
                yield self._tables
                self._tables.commit()
            except BaseException:
                self._tables.rollback()
                raise
        self.signal.send()

    @contextmanager
    def scan(self) -> Iterator[MemoryTransaction]:
        """See `Recorder.scan`."""
        self.check_process()
        self._check_open()
        with self._lock:
            yield self._tables

    @property
    def reader(self) -> MemoryTransaction:
        """See `Recorder.reader`."""
        self.check_process()
        self._check_open()
        return self._tables

    def after_fork(self) -> None:
        """See `Recorder.after_fork`."""
        super().after_fork()
        self._lock = self._tables._lock = threading.RLock()

    def close(self) -> None:
        """Closes the log. Everything recorded in it is lost."""
        if not self.inherited:
            self._closed = True
