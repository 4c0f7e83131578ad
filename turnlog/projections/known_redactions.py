"""What redactions hide, kept for the most recently read conversations."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

from turnlog.domain.events import Event
from turnlog.domain.redactions import Redactions
from turnlog.storage import forks

KEPT_EVENTS = 300_000
"""The number of events in redacted conversations that stay in memory."""


class KnownRedactions(forks.Forked):
    """Redactions, found once and then continued: a second reading costs only the new events.

    Safe for concurrent use.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Redactions] = OrderedDict()
        forks.tell(self)

    def after_fork(self) -> None:
        """Replaces the lock, which the parent process may have held."""
        self._lock = threading.Lock()

    def of(
        self, stream: int, events: Callable[[int], Iterable[Event]], *, keep: bool = True
    ) -> Redactions:
        """The redactions of a stream. events: returns its events above a number, oldest first.

        keep: false if what is read may be rolled back.
        """
        known = self._kept.get(stream) or Redactions(())
        found = known.followed_by(enumerate(events(known.last), known.last + 1))
        if keep:
            self._keep(stream, found)
        return found

    def release(self, stream: int) -> None:
        """Forgets those of a stream."""
        with self._lock:
            self._kept.pop(stream, None)

    def _keep(self, stream: int, found: Redactions) -> None:
        with self._lock:
            self._kept[stream] = found
            self._kept.move_to_end(stream)
            while self._kept and sum(each.last for each in self._kept.values()) > KEPT_EVENTS:
                self._kept.popitem(last=False)
