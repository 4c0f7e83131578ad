"""What tells the threads of a process that its log may have grown."""

from __future__ import annotations

from threading import Condition


class Signal:
    """Sent after every commit; says that there may be more, never what."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._waiting = 0
        self.sent = 0

    def send(self) -> None:
        self.sent += 1
        if self._waiting:  # counted before `sent` is looked at, so that nobody misses it
            with self._condition:
                self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> None:
        """Return when it was sent since `sent` was `seen`, or after so many seconds."""
        with self._condition:
            self._waiting += 1
            try:
                self._condition.wait_for(lambda: self.sent != seen, timeout)
            finally:
                self._waiting -= 1
