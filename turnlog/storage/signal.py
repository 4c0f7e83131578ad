"""Wakes the threads of a process when its log may have grown."""

from __future__ import annotations

from threading import Condition


class Signal:
    """Sent after every commit: it announces that there may be more, never what."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._waiting = 0
        self.sent = 0

    def send(self) -> None:
        """Wakes all waiting threads."""
        self.sent += 1
        if self._waiting:  # counted before `sent` is compared, so that no thread misses it
            with self._condition:
                self._condition.notify_all()

    def wait(self, seen: int, timeout: float) -> None:
        """Returns when it was sent since `sent` was `seen`, or after `timeout` seconds."""
        with self._condition:
            self._waiting += 1
            try:
                self._condition.wait_for(lambda: self.sent != seen, timeout)
            finally:
                self._waiting -= 1
