"""Open logs in a process that forks: the child is refused and touches nothing.

A connection belongs to the process that opened it; used or closed in a fork, it would damage the
parent's. Threads do not survive in the child, so that locks they held are never released there.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

QUIET_SECONDS = 1.0
"""How long a fork waits for threads to leave the database's own code, in seconds."""


class Forked:
    """An object that must act when its process forks. Register it with `tell` when it is made."""

    def locks(self) -> Iterable[Any]:
        """Locks held inside code that does not support forks, in the order of acquiring them."""
        return ()

    def after_fork(self) -> None:
        """Called in the child."""


_kept: WeakSet[Forked] = WeakSet()
_held: list[Any] = []


def tell(kept: Forked) -> None:
    """Registers an object for the forks of this process, as long as the object lives."""
    _kept.add(kept)


def never_freed(kept: object) -> None:
    """Keeps an object to the end of the process, because freeing it would close it."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))


def free(lock: Any) -> Any:
    """The lock, or a new one if a thread of the parent holds it."""
    if lock.acquire(blocking=False):
        lock.release()
        return lock
    return threading.RLock()


def _before() -> None:
    until = time.monotonic() + QUIET_SECONDS
    for kept in list(_kept):
        for lock in kept.locks():
            if lock.acquire(timeout=max(0.0, until - time.monotonic())):
                _held.append(lock)


def _let_go() -> None:
    while _held:
        _held.pop().release()


def _in_child() -> None:
    _let_go()
    for kept in list(_kept):
        kept.after_fork()


os.register_at_fork(before=_before, after_in_parent=_let_go, after_in_child=_in_child)
