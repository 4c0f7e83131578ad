"""What redactions hide, kept for the conversations that were asked for last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

from turnlog.domain.events import Event
from turnlog.domain.redactions import Redactions
from turnlog.storage import forks

KEPT_EVENTS = 300_000
"""Events of conversations with a redaction that are kept in memory."""


class KnownRedactions(forks.Forked):
    """Found once, then gone on from: whoever asks again pays for what was recorded since.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Redactions] = OrderedDict()
        forks.tell(self)

    def after_fork(self) -> None:
        self._lock = threading.Lock()

    def of(
        self, stream: int, events: Callable[[int], Iterable[Event]], *, keep: bool = True
    ) -> Redactions:
        """Those of a stream; events: its events above a number, oldest first.

        keep: unless what is read may be rolled back.
        """
        known = self._kept.get(stream) or Redactions(())
        found = known.followed_by(enumerate(events(known.last), known.last + 1))
        if keep:
            self._keep(stream, found)
        return found

    def _keep(self, stream: int, found: Redactions) -> None:
        with self._lock:
            self._kept[stream] = found
            self._kept.move_to_end(stream)
            while self._kept and sum(each.last for each in self._kept.values()) > KEPT_EVENTS:
                self._kept.popitem(last=False)
