"""What becomes of open logs where their process forks: the child is refused and touches nothing.

A connection belongs to the process that opened it: used or closed in a fork it would harm the
parent's. Threads do not come along, so that what they held is never let go of in the child.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

QUIET_SECONDS = 1.0
"""How long a fork waits at most until no thread is inside the database's own code."""


class Forked:
    """Who has something to do where its process forks: `tell` it of forks when it is made."""

    def locks(self) -> Iterable[Any]:
        """Held by those inside code that knows nothing of forks; in the order to take them."""
        return ()

    def after_fork(self) -> None:
        """Called in the child."""


_kept: WeakSet[Forked] = WeakSet()
_held: list[Any] = []


def tell(kept: Forked) -> None:
    """Have it told of every fork, for as long as it lives."""
    _kept.add(kept)


def never_freed(kept: object) -> None:
    """Keep something to the end of the process and beyond: freeing it would close it."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))


def free(lock: Any) -> Any:
    """The lock, or another where a thread of the parent holds it."""
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
