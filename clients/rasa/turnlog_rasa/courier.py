"""Sends what waits as soon as the server accepts it."""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional

SHORTEST, LONGEST = 0.5, 2.0
"""Seconds between two attempts."""

TOGETHER = 0.1
"""Seconds during which several wake-ups count as one."""


class Courier:
    """A thread that lives while something waits. carry: makes one attempt; true if all is done."""

    def __init__(self, carry: Callable[[], bool]) -> None:
        self._carry = carry
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._thread: Optional[threading.Thread] = None
        self._stopped = False

    def wake(self) -> None:
        """Starts an attempt soon, and keeps trying."""
        self._woken.set()
        with self._lock:
            if self._stopped or (self._thread and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="turnlog-courier", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stops the thread."""
        with self._lock:
            self._stopped = True
            thread = self._thread
        self._woken.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def _run(self) -> None:
        pause = SHORTEST
        while not self._stopped:
            self._woken.clear()
            if self._carry() and self._ends():
                return
            if self._woken.wait(pause):
                time.sleep(TOGETHER)
                pause = SHORTEST
            pause = min(pause * 2, LONGEST)

    def _ends(self) -> bool:
        """Whether no one has woken it since. The next to do so starts another thread."""
        with self._lock:
            if self._woken.is_set():
                return False
            self._thread = None
            return True
