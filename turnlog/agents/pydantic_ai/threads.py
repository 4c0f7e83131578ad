"""The conversations that a store knows: read from the log, then kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, RLock

from turnlog.agents.pydantic_ai.thread import SavedThread
from turnlog.engine.log import Turnlog
from turnlog.errors import UnknownConversation

KEPT = 64
"""The number of idle conversations that stay in memory."""


class _Place:
    def __init__(self) -> None:
        self.lock = RLock()
        self.thread: SavedThread | None = None


class SavedThreads:
    """The conversations of a log; safe for concurrent use. Commits of other processes are read
    first.
    """

    def __init__(self, log: Turnlog) -> None:
        self._log = log
        self._lock = Lock()
        self._places: OrderedDict[str, _Place] = OrderedDict()

    @contextmanager
    def at(self, id: str, *, keep: bool = True) -> Iterator[SavedThread | None]:
        """The conversation in its current state, locked for the caller; None if it does not exist.

        keep: whether it stays in memory.
        """
        place = self._place(id) if keep else self._places.get(id) or _Place()
        with place.lock:
            place.thread = self._refreshed(id, place.thread)
            yield place.thread

    def _place(self, id: str) -> _Place:
        with self._lock:
            place = self._places.setdefault(id, _Place())
            self._places.move_to_end(id)
            if len(self._places) > KEPT:
                self._places.popitem(last=False)
            return place

    def having(self, entry: str) -> list[str]:
        """The conversations in memory that are known to have an entry."""
        with self._lock:
            kept = [(id, place.thread) for id, place in self._places.items()]
        return [id for id, thread in kept if thread is not None and thread.has(entry)]

    def _refreshed(self, id: str, known: SavedThread | None) -> SavedThread | None:
        head = self._log.current.head(self._log.store.reader, id)
        if head is None or head.state.deleted:
            return None
        if known is not None and (known.life, known.version) == (head.life, head.version):
            return known
        try:
            now = self._log.conversation(id)
            continues = known is not None and known.goes_on(now)
            return known if continues else SavedThread(now, head.life)
        except UnknownConversation:
            return None
